// SPDX-License-Identifier: Apache-2.0
/*
 * Takeover of a stdio server: a host, two threads of the server, what the kernel programs do, the supervisor, the
 * injector, the proxy (user/role/sup_stdio.c, user/stdio, bpf/hold.bpf.c). Supervisor, injector and proxy may die at
 * any step; the keeper starts the supervisor and the proxy anew, the supervisor has the injector started.
 *
 * Promises: no thread acts on a message that was not allowed, nor runs on from the middle of a takeover; when nothing
 * moves any more the server does not stand still, no message is on its way, and the host does not wait.
 *
 * Holds:
 * Breaks: NO_HOLD
 * Breaks: NO_STOP_AT_READ
 * Breaks: RELEASE_BEFORE_VERDICT
 * Breaks: ONE_THREAD_SWAPPED
 * Breaks: NO_EXITKILL
 * Breaks: NO_RESCAN
 * Breaks: NO_STRAYS_KILLED
 * Breaks: PROXY_LOSS_IGNORED
 * Breaks: UNKNOWN_IS_ALLOWED
 */
#define THREADS 2
#define DEATHS 2
#define NONE 0
#define GOOD 1 /* a message that policy allows */
#define BAD 2

chan old = [2] of { byte }; /* host to server, until the takeover; then host to proxy */
chan fresh = [2] of { byte }; /* proxy to server */

/* The kernel's: they survive every role. */
bool triggered; /* the stream carries MCP; its entry is there until the conversation is handed over */
bool standing; /* the server is on the list of stopped processes, and stands still */
bool killed;

bool traced, injecting; /* none of its threads runs; an injector is at work */
bool midway; /* its registers are not its own; who takes it over then saves the wrong ones */
bool swapped[THREADS]; /* whose descriptor table has the new ends */
bool in_read[THREADS];
byte has[THREADS]; /* taken by a read, not acted upon */

bool conversation; /* the proxy has it */
bool host_done, host_sees_end;
byte deaths;

/* Where the work of the present supervisor stands; it dies with it. */
mtype = { IDLE, TAKING, TAKEN, JUDGING };
mtype stage = IDLE;
bool verdict_asked, verdict_there, verdict_good;

#define STILL (standing || traced)
#define MAY_DIE (deaths < DEATHS)
#ifdef NO_RESCAN
#define HEARS (deaths == 0) /* of what happened before its time it learns nothing */
#else
#define HEARS true
#endif

inline kill_server()
{
	killed = true;
	standing = false;
	triggered = false;
	host_sees_end = true
}

/* Two messages, of either kind. The write hook sees the first before the server can. */
active proctype host()
{
	byte n, m;

	do
	:: n == 2 || host_sees_end -> break
	:: n < 2 && !host_sees_end ->
		if
		:: m = GOOD
		:: m = BAD
		fi;
		if
		:: atomic { nfull(old) ->
#ifndef NO_HOLD
				if
				:: !triggered && !swapped[0] && !killed && stage == IDLE ->
					triggered = true;
					standing = true
				:: else
				fi;
#endif
				old!m }
		:: host_sees_end -> break
		fi;
		n++
	od;
	host_done = true
}

/* A thread that is in the kernel already takes what comes, whether it shall stand still or not; it stops on its way
 * out, because a read on a held stream stops its reader. */
proctype thread(byte t)
{
	byte m;

end_waits:
	do
	:: killed -> break
	:: atomic { !killed && !STILL && !in_read[t] && has[t] == NONE -> assert(!midway); in_read[t] = true }
	:: atomic { !killed && in_read[t] && !swapped[t] && !traced && nempty(old) ->
			old?m;
			has[t] = m;
			in_read[t] = false;
#ifdef NO_STOP_AT_READ
			assert(m == GOOD); /* the stop reaches it when it likes: what it read it acts upon */
#endif
		}
	:: atomic { !killed && in_read[t] && swapped[t] && !STILL && nempty(fresh) ->
			fresh?m;
			has[t] = m;
			in_read[t] = false }
	:: atomic { !killed && has[t] != NONE && !STILL ->
			assert(!midway);
			assert(has[t] == GOOD);
			has[t] = NONE }
	od
}

/* Attached with PTRACE_O_EXITKILL: whoever it holds dies with it. */
proctype injector()
{
	byte t;

	atomic {
		if
		:: killed -> goto gone
		:: else ->
			traced = true;
			in_read[0] = false;
			in_read[1] = false
		fi
	};
	do
	:: t < THREADS ->
#ifdef ONE_THREAD_SWAPPED
		swapped[0] = true;
#else
		swapped[t] = true;
#endif
		t++
	:: MAY_DIE -> deaths++; goto dies
	:: t == THREADS -> break
	od;
	/* It lets go of a server that goes on standing still, and reports. */
	atomic {
		traced = false;
		standing = true;
		if
		:: stage == TAKING -> stage = TAKEN
		:: else -> host_sees_end = true /* the ends went nowhere */
		fi;
		injecting = false
	};
	goto end;
dies:
	atomic {
		traced = false;
#ifdef NO_EXITKILL
		midway = true
#else
		kill_server()
#endif
	};
gone:
	injecting = false;
end:
	skip
}

/* Each step is whole; between two of them it may die, and is started anew with nothing of what it knew. */
active proctype supervisor()
{
end_idle:
	do
	:: atomic { MAY_DIE && stage != IDLE ->
			deaths++;
			stage = IDLE;
			verdict_asked = false;
			verdict_there = false }
	:: atomic { triggered && stage == IDLE && !killed && !injecting && HEARS ->
			stage = TAKING;
			injecting = true;
			run injector() }
	:: atomic { stage == TAKING && !injecting -> kill_server(); stage = IDLE }
	:: atomic { stage == TAKEN ->
			triggered = false; /* its entry goes before the conversation does */
			conversation = true;
			verdict_asked = true;
#ifdef RELEASE_BEFORE_VERDICT
			standing = false;
#endif
			stage = JUDGING }
	:: atomic { stage == JUDGING && verdict_there ->
			verdict_there = false;
			stage = IDLE;
			if
			:: verdict_good -> standing = false
			:: else -> kill_server()
			fi }
#ifndef PROXY_LOSS_IGNORED
	:: atomic { stage == JUDGING && !conversation && !verdict_there -> kill_server(); stage = IDLE }
#endif
#ifndef NO_STRAYS_KILLED
	:: atomic { stage == IDLE && standing && !triggered && !injecting -> kill_server() }
#endif
	od
}

/* Judges what the server had in hand, then message by message. With it end the conversations it has. */
active proctype proxy()
{
	byte m;

end_idle:
	do
	:: atomic { verdict_asked ->
			verdict_asked = false;
			verdict_there = true;
#ifdef UNKNOWN_IS_ALLOWED
			verdict_good = true
#else
			verdict_good = (has[0] != BAD && has[1] != BAD)
#endif
		}
	:: atomic { conversation && nempty(old) && nfull(fresh) ->
			old?m;
			if
			:: m == GOOD -> fresh!m
			:: else /* answered */
			fi }
	:: atomic { MAY_DIE && conversation ->
			deaths++;
			conversation = false;
			verdict_asked = false;
			host_sees_end = true }
	od
}

init {
	atomic {
		run thread(0);
		run thread(1)
	}
}

/* Asked when nothing moves any more. */
active proctype auditor()
{
	timeout;
	assert(host_done);
	assert(killed || !standing && !traced && !triggered);
	assert(killed || has[0] == NONE && has[1] == NONE);
	assert(killed || host_sees_end || len(old) == 0 && len(fresh) == 0)
}
