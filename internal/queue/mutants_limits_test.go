package queue_test

// limitBugs break the limits of queues and keys.
var limitBugs = []bug{
	replaced("what is not folded is not active", "gate_count", `from %s where ctid >= $2`, `from %s where ctid >= $2 and active < 0`),
	replaced("a bucket gets the new rate for the time before it", "bucket", `greatest(p_filled_at, p_since)`, `p_filled_at`),
	replaced("a bucket has no bottom", "gate_leave", `$7, $8) - $9 end`, `$7, $8) end`),
	replaced("active documents of a key are not counted", "choose_text", `floor(v_tokens + 1e-6), q.key_max_active - v_held)`, `floor(v_tokens + 1e-6))`),
	replaced("the rate of a key is not paid", "choose_text", `q.key_rate_burst) - u.taken as tokens`, `q.key_rate_burst) as tokens`),
	replaced("a key's first document is its newest", "choose_text", `order by priority desc, next_iteration, seq
                        limit v_open`, `order by priority desc, next_iteration desc, seq desc limit v_open`),
	replaced("a walk does not begin anew", "choose_text", `v_again := true;`, `exit;`),
}

// unindexedBugs are those of limits by key while the indexes are being made.
var unindexedBugs = []bug{
	replaced("limits by key are not kept without indexes", "choose_slowly_text", `continue when (v_open -> v_key)::integer <= 0;`, ``),
	replaced("without indexes a key's documents are counted once", "choose_slowly_text", `(v_open -> v_key)::integer - 1`, `(v_open -> v_key)::integer`),
}

// pauseBugs stop too little or too much, and tell extensions wrongly.
var pauseBugs = []bug{
	replaced("a pause of a version is none", "is_paused", `or coalesce(q.version_pauses`, `or false and coalesce(q.version_pauses`),
	replaced("a pause at once leaves leases alone", "take_back", `if v_versions = '{}' then`, `if true then`),
	replaced("a pause at once costs an attempt", "settle", `when action = 'release' then greatest(attempts - 1, 0)`, ``),
	replaced("a pause of a version ends with that of the queue", "queue_resume", `paused_until = null, pause_kind`, `paused_until = null, version_pauses = null, pause_kind`),
	replaced("journal: an extension has the old end", "doc_extend_many", `'extend', false, 2, 2, attempts, lease, next_iteration`, `'extend', false, 2, 2, attempts, lease, $4`),
}

// interruptBugs need calls which are open while a queue is paused.
var interruptBugs = []bug{
	replaced("a lease is extended through a pause at once", "doc_extend_many", `when array_position($7, null) is not null or h.version = any ($7) then 'stale'`, ``),
}

// requeueBugs lose what a document is to go on with, or take it too seriously.
var requeueBugs = []bug{
	replaced("requeue: most resolutions do not see it", "settle_text", `and d.requeue is null`, ``),
	replaced("requeue: most drops do not see it", "drop_text", `and d.requeue is null`, ``),
	replaced("requeue: the holder's priority wins", "settle", `case when goes_on then coalesce((requeue -> 'priority')::integer, new_priority)`, `case when goes_on then new_priority`),
	replaced("requeue: a reject does not see it", "settle", `(not $3 or action = 'release') as goes_on`, `(not $3 and action <> 'reject' or action = 'release') as goes_on`),
	replaced("requeue: the holder's date wins", "settle", `case when goes_on then n.date else`, `case when goes_on then new_next else`),
	replaced("requeue: the holder's payload wins", "settle", `when s.goes_on and s.requeue ? 'payload' or s.action = 'forward'`, `when s.action = 'forward'`),
	replaced("requeue: it is done twice", "settle", `requeue = case when s.action = 'edit' then d.requeue end`, `requeue = d.requeue`),
	replaced("requeue: a drop drops it", "settle", `goes and not goes_on as gone`, `goes as gone`),
	replaced("requeue: what failed too often keeps its attempts", "settle", `case when goes_on and (goes or new_status in (3, -1)) then 0`, `case when goes_on and goes then 0`),
	replaced("requeue: it overrides an admin", "settle", `(not $3 or action = 'release') as goes_on`, `true as goes_on`),
	replaced("requeue: a lost lease loses the payload", "mnt_orphans", `payload = coalesce(l.requeue -> 'payload', d.payload)`, `payload = d.payload`),
	replaced("requeue: a lost lease loses the date", "mnt_orphans", `coalesce((requeue ->> 'date')::timestamptz, case`, `coalesce(null::timestamptz, case`),
	replaced("requeue: the second forgets the first", "push_change", `coalesce(d.requeue, '{}')`, `'{}'::jsonb`),
	replaced("requeue: nobody asked", "push_change", `o.old_status = 2 and $9`, `o.old_status = 2`),
}

// forwardBugs hand on what is not the document's.
var forwardBugs = []bug{
	replaced("requeue: a forward hands on what is not its own", "settle", `coalesce(s.payload, case when not s.goes_on then s.requeue -> 'payload' end, s.own)`, `coalesce(s.payload, s.requeue -> 'payload', s.own)`),
}
