/* SPDX-License-Identifier: Apache-2.0 */
/* The dials of the fault injector (fault.c): one page that the injected program and the test share,
 * as a mapped file across processes (FAULT_CONTROL in the environment names it) or as a pointer
 * within one. The test writes while the program waits; `kind` is written last. The layout is also
 * in tests/crash/fault.py. */
#ifndef FAULT_FAULT_H
#define FAULT_FAULT_H

#include <stdatomic.h>
#include <stdint.h>

enum fault_kind {
	FAULT_OFF,    /* nothing counts, nothing fails */
	FAULT_KILL,   /* SIGKILL instead of the durable step */
	FAULT_TORN,   /* SIGKILL in the middle of it: half of a write, or just after another step */
	FAULT_EIO,    /* the step fails with EIO */
	FAULT_ENOSPC, /* the step fails with ENOSPC */
	FAULT_MEMORY, /* the allocation returns NULL */
	FAULT_DONE,   /* SIGKILL just after it */
};

#define FAULT_NAME_MAX	128
#define FAULT_NAMES_MAX 1024

struct fault_control {
	_Atomic uint64_t kind;
	_Atomic uint64_t at;	 /* the step that fails, from 1; 0: none, they are only counted */
	_Atomic uint64_t sticky; /* every later one fails too */
	_Atomic uint64_t count;	 /* steps since armed: durable ones, or allocations */
	_Atomic uint64_t hits;	 /* faults done */
	_Atomic uint64_t live;	 /* allocations not yet freed, always counted */
	char names[FAULT_NAMES_MAX][FAULT_NAME_MAX]; /* the durable steps: "pwrite …/masa.db-wal" */
};

/* The page in use: the mapped file's, or one of this process's own. */
struct fault_control *fault_control(void);

#endif
