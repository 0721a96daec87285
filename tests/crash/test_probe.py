import time, harness, fault, sys
from conftest import Site
def no_probe(lab, acme, domain, cell):
    fm, fr, fp = [fault.Fault(cell / n) for n in ("fm","fr","fp")]
    masa = harness.Masa(cell/"masa", acme); masa.env.update(fm.env)
    reg = harness.Registrar(cell/"reg", domain, [acme]); reg.env.update(fr.env)
    fm.arm(fault.KILL); fr.arm(fault.KILL)
    t=time.time()
    masa.start(); reg.start()
    print("start", time.time()-t, fm.count, fr.count)
    site = Site(cell, acme, domain, masa, reg)
    d = site.device()
    print("import", fm.count)
    p = site.pledge(d); p.env.update(fp.env)
    fp.arm(fault.KILL)
    t=time.time()
    r = p.join(); print(r.returncode, time.time()-t)
    print("joined", fm.count, fr.count, fp.count)
    t=time.time()
    masa.stop(); reg.stop(); print("stop", time.time()-t)
    print("stopped", fm.count, fr.count, fp.count)
    for f in (fm, fr, fp):
        print(); [print(i+1, n) for i,n in enumerate(f.names())]
    for f in (fm, fr): f.arm(fault.MEMORY)
    masa.start(); reg.start(); 
    a = (fm.count, fr.count); time.sleep(.3); print("allocs at start", a)
    d = site.device(); p = site.pledge(d); p.env.update(fp.env); fp.arm(fault.MEMORY); a = (fm.count, fr.count)
    r = p.join(); print(r.returncode); time.sleep(.2)
    print("allocs", fm.count-a[0], fr.count-a[1], fp.count)
    with site.peer(site.device()) as peer:
        for step in ("request_voucher", "voucher_status", "cacerts", "csrattrs", "enroll", "enrollstatus"):
            a = (fm.count, fr.count); t=time.time(); getattr(peer, step)(); t=time.time()-t; print(step, fm.count-a[0], fr.count-a[1], t)
    masa.stop(); reg.stop()
