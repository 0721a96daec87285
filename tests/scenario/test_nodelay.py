# SPDX-License-Identifier: Apache-2.0
"""No answer and no request waits for the acknowledgement of what went before it: the daemons' own
sockets say that Nagle's algorithm is off. A descriptor of theirs is taken over (pidfd_getfd) and
asked; time is not measured."""
import ctypes
import os
import socket

PIDFD_GETFD = 438  # on every architecture
libc = ctypes.CDLL(None, use_errno=True)


def taken(pidfd, number):
    """Our copy of the daemon's descriptor of this number, as a socket."""
    copy = libc.syscall(PIDFD_GETFD, pidfd, number, 0)
    if copy < 0:
        raise OSError(ctypes.get_errno(), "pidfd_getfd")
    return socket.socket(fileno=copy)


def connections(daemon):
    """[(own port, the peer's port, is Nagle's algorithm off)] of what it has over TCP."""
    found = []
    pidfd = os.pidfd_open(daemon.popen.pid)
    folder = f"/proc/{daemon.popen.pid}/fd"
    for number in os.listdir(folder):
        if not os.readlink(f"{folder}/{number}").startswith("socket:"):
            continue
        with taken(pidfd, int(number)) as s:
            if s.proto != socket.IPPROTO_TCP or s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                continue
            off = bool(s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            found.append((s.getsockname()[1], s.getpeername()[1], off))
    os.close(pidfd)
    return found


def test_no_connection_waits_for_a_delayed_acknowledgement(site):
    registrar, masa = site.registrar, site.masa
    with site.peer(site.device()) as peer:
        peer.join()
        of_registrar, of_masa = connections(registrar), connections(masa)
    from_device = [off for own, _, off in of_registrar if own == registrar.port]
    to_masa = [off for _, its, off in of_registrar if its == masa.port]
    from_registrar = [off for own, _, off in of_masa if own == masa.port]
    for offs in (from_device, to_masa, from_registrar):
        assert offs and all(offs)
