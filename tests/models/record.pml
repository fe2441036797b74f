// SPDX-License-Identifier: Apache-2.0
/*
 * Record before release: a proxy, the ring, the notary, the keeper, the disk (docs/architecture.md, "When something
 * breaks"). Each role may die at any step and is started anew; storage may refuse at any write.
 *
 * Promises: a message is released only when its record is as durable as was asked; at the end each released message
 * is in the log, each record once; a role that died leaves nobody waiting (no invalid end state).
 *
 * Holds: DURABILITY=0
 * Holds: DURABILITY=1
 * Holds: DURABILITY=2
 * Holds: DURABILITY=1 KEEPER_DIES
 * Holds: DURABILITY=2 KEEPER_DIES POWER_FAILS
 * Breaks: DURABILITY=0 FORWARD_FIRST
 * Breaks: DURABILITY=1 PUBLISH_FIRST
 * Breaks: DURABILITY=1 NO_MEMORY
 * Breaks: DURABILITY=2 SYNC_NOT_AWAITED POWER_FAILS
 * Breaks: DURABILITY=0 RING_OF_PROXY
 * Breaks: DURABILITY=0 KEEPER_DIES
 * Breaks: DURABILITY=1 POWER_FAILS
 *
 * The last two are no defence taken away but the limit of what a weaker durability promises: a record that is only in
 * a ring dies with the keeper, one that is only written dies with the machine.
 */
#ifndef DURABILITY
#define DURABILITY 0
#endif
#define MESSAGES 3
#define RING 2 /* records it takes */
#define DEATHS 2

byte slot[MESSAGES]; /* the message of each record that was ever pushed; the ring is slot[tail..head) */
byte head, tail, synced; /* shared with both sides */
byte taken; /* the notary's own */
bool error; /* what the notary tells the producer */
byte log[MESSAGES]; /* how often each message stands in the log: in the page cache */
byte disk[MESSAGES]; /* and on disk */
bool released[MESSAGES];
bool proxy_done, power_off, keeper_dead;
byte deaths;

#define MAY_DIE (deaths < DEATHS && !power_off && !keeper_dead)
#define OVER (power_off || keeper_dead)

inline reached(pos, yes)
{
	yes = (DURABILITY == 0 && pos <= head) || (DURABILITY == 1 && pos <= tail) ||
	      (DURABILITY == 2 && pos <= synced)
}

inline release(m)
{
	released[m] = true
}

active proctype proxy()
{
	byte m, pos;
	bool yes;

	do
	:: m == MESSAGES || OVER -> break
	:: m < MESSAGES && !OVER ->
#ifdef FORWARD_FIRST
		release(m);
#endif
		if
		:: atomic { !error && head - tail < RING -> slot[head] = m; head++; pos = head }
		:: error || head - tail >= RING -> goto next /* denied */
		:: MAY_DIE -> deaths++; goto reborn
		:: OVER -> goto over
		fi;
		do
		:: OVER -> goto over
		:: MAY_DIE -> deaths++; goto reborn /* the call ends, and is never sent again */
		:: error && tail < pos && DURABILITY > 0 -> goto next /* it never will: denied */
		:: else ->
			atomic {
				reached(pos, yes);
				if
				:: yes && !OVER ->
#ifndef FORWARD_FIRST
					release(m);
#endif
					goto next
				:: yes && OVER -> goto over
				:: !yes && (MAY_DIE || OVER || error) -> skip
				:: !yes && !(MAY_DIE || OVER || error) ->
					/* waits to be woken */
					(OVER || error || MAY_DIE || (DURABILITY == 1 && pos <= tail) ||
					 (DURABILITY == 2 && pos <= synced))
				fi
			}
		od;
next:
		if
		:: MAY_DIE -> deaths++
		:: goto alive
		fi;
reborn:
#ifdef RING_OF_PROXY
		atomic { tail = head; taken = head; synced = head }; /* its successor begins with an empty ring */
#endif
alive:
		m++
	od;
over:
	proxy_done = true
}

active proctype notary()
{
	byte m;

restart:
	taken = tail;
	do
	:: OVER -> break
	:: proxy_done && tail == head && !error && (DURABILITY < 2 || synced == tail) -> break
	:: MAY_DIE && !proxy_done -> deaths++; goto restart
	:: error -> error = false /* storage works again, and the outage is on file */
	:: taken < head && !error && !OVER ->
		atomic {
			m = slot[taken];
			taken++
		};
		if
#ifndef NO_MEMORY
		:: log[m] > 0 -> skip /* a notary before this one wrote it and did not live to say so */
#endif
#ifdef NO_MEMORY
		:: true ->
#else
		:: log[m] == 0 ->
#endif
			if
#ifdef PUBLISH_FIRST
			:: tail = taken; if :: !OVER -> log[m]++ :: OVER -> break fi
			:: tail = taken; MAY_DIE -> deaths++; goto restart
#endif
			:: !OVER -> log[m]++ /* written whole */
			:: !OVER -> /* refused: what was written of it is taken back, the ring keeps it */
				atomic { error = true; taken = tail };
				goto refused
			:: MAY_DIE -> deaths++; goto restart /* torn: set aside by the next one */
			:: OVER -> break
			fi
		fi;
		if
		:: MAY_DIE -> deaths++; goto restart
		:: true
		fi;
		if
		:: !OVER -> tail = taken
		:: OVER -> break
		fi;
refused:
		skip
	:: synced < tail && !error && !OVER ->
#ifdef SYNC_NOT_AWAITED
		synced = tail;
#endif
		atomic {
			m = 0;
			do
			:: m < MESSAGES -> disk[m] = log[m]; m++
			:: m == MESSAGES -> break
			od
		};
#ifndef SYNC_NOT_AWAITED
		if
		:: MAY_DIE -> deaths++; goto restart
		:: true
		fi;
		if
		:: !OVER -> synced = tail
		:: OVER -> break
		fi
#endif
	od
}

#ifdef KEEPER_DIES
/* It takes the roles and the rings with it; the page cache stays. */
active proctype keeper()
{
	if
	:: !proxy_done -> keeper_dead = true
	:: true
	fi
}
#endif

#ifdef POWER_FAILS
active proctype power()
{
	if
	:: !proxy_done -> power_off = true
	:: true
	fi
}
#endif

/* What the auditor finds at the end. */
active proctype auditor()
{
	byte m;

	(proxy_done && (OVER || (tail == head && !error)));
	do
	:: m < MESSAGES ->
		assert(log[m] <= 1);
		if
		:: released[m] && power_off -> assert(disk[m] == 1)
		:: released[m] && keeper_dead -> assert(log[m] == 1)
		:: released[m] && !OVER -> assert(log[m] == 1)
		:: !released[m] -> skip
		fi;
		m++
	:: m == MESSAGES -> break
	od
}
