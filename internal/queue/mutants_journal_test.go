package queue_test

// journalBugs lose lines of the journal, write them twice, or write what is not so.
var journalBugs = []bug{
	replaced("journal: nothing of most resolutions", "settle_text", `from changed c cross join numbered n`, `from changed c cross join numbered n where c.status <> 3`),
	replaced("journal: nothing of most pushes", "push_text", `from made m cross join block cross join numbered n`, `from made m cross join block cross join numbered n where m.status = 1`),
	replaced("journal: nothing of a mark", "mark_text", `from marked m cross join numbered n`, `from marked m cross join numbered n where m.priority > 0`),
	replaced("journal: nothing of a mark by the job", "mnt_mark_due", `case when q.journal = 'all' then '_noted' else '' end`, `''`),
	replaced("journal: a pick with the attempts before it", "pick_text", `, array_agg(attempts + 1)`, `, array_agg(attempts)`),
	replaced("journal: a pick has waited for no time", "pick_text", `fetchq.micros_between(i.due_at, p_now)`, `0`),
	replaced("journal: a lease of the queue's length", "pick_text", `p_now + coalesce(p_locks[p_limit - v_left + i.ord], p_lock)`, `p_now + interval '60 seconds'`),
	replaced("journal: the first caller called for all", "settle", `coalesce($21[s.ord], $21[1])`, `$21[1]`),
	replaced("journal: the first pusher pushed all", "push_text", `coalesce(p_by[m.seq - block.first], p_by[1])`, `p_by[1]`),
	replaced("journal: the first holder ended all", "settle_text", `coalesce(p_by[c.ord], p_by[1])`, `p_by[1]`),
	replaced("journal: an admin is a worker", "settle", `$3 and (s.lease is null or $21 is not null), s.status`, `false, s.status`),
	replaced("journal: the attempts after a resolution", "settle", `s.then_status end, s.attempts,`, `s.then_status end, s.new_attempts,`),
	replaced("journal: a document that is gone has a status", "settle", `case when not s.gone then s.then_status end, s.attempts`, `s.then_status, s.attempts`),
	replaced("journal: a lost lease has its old number", "mnt_orphans", `attempts, lease, next_iteration,`, `attempts, lease - 1, next_iteration,`),
	replaced("journal: a lost lease is nobody's", "mnt_orphans", `fetchq.micros_between(picked_at, $2), subject, worker, null`, `fetchq.micros_between(picked_at, $2), subject, null, null`),
	replaced("journal: nothing of an update", "push_change", `'update', false, old_status, status`, `'update', false, old_status, old_status`),
	replaced("journal: nothing of a requeue", "push_change", `from kept $t$`, `from kept where false $t$`),
	replaced("journal: the setting is not kept", "queue_set", `journal = q.journal, journal_retention`, `journal_retention`),
}

// repeatBugs do again, or tell again, what is asked for again.
var repeatBugs = []bug{
	replaced("journal: what a worker says twice is written twice", "settle", `where s.wins $t$`, `where s.verdict = 'ok' $t$`),
	replaced("an admin's action under a key is done again", "doc_act_many", `if v_rows is not null then`, `if false then`),
	replaced("an append under a key of its own subjects is done again", "repeat_begin", `if v_outcomes is null then`, `if v_outcomes is null or array_position(p_given, null) is null then`),
	replaced("a key is kept for ever", "repeat_begin", `subjects = case when r.expires_at > $2 then`, `subjects = case when true then`,
		`outcomes = case when r.expires_at > $2 then`, `outcomes = case when true then`, `details = case when r.expires_at > $2 then`, `details = case when true then`),
}

// keepingBugs are about what goes.
var keepingBugs = []bug{
	replaced("journal: nothing of what is kept no longer", "mnt_expire", `case when q.journal = 'all' then fetchq.journal_text`, `case when false then fetchq.journal_text`),
	replaced("journal: it is kept for ever", "mnt_journal", `where at < $1`, `where at < $1 and false`),
	replaced("journal: it is kept too short", "mnt_journal", `using p_now - q.journal_retention`, `using p_now - q.journal_retention / 2`),
	replaced("journal: a truncate is not told", "queue_truncate", `perform fetchq.journal_all(`, `perform null; -- (`),
	replaced("journal: a truncate with the log leaves it", "queue_truncate", `truncate %1$I.logs, %1$I.journal`, `truncate %1$I.logs`),
}

// terseBugs write too much into a journal that has errors alone, or nothing; or too little.
var terseBugs = []bug{
	replaced("journal: with errors, kills of holders are none", "settle", `s.action in ('reject', 'kill')`, `s.action in ('reject')`),
	replaced("journal: with errors, all of a long statement", "settle", `case when q.journal = 'errors' then`, `case when false then`),
	replaced("journal: what is written with errors is written when off", "settle", `case when q.journal <> 'off' and not p_look then`, `case when not p_look then`),
	replaced("journal: lost leases only with all", "mnt_orphans", `case when q.journal <> 'off' then`, `case when q.journal = 'all' then`),
}
