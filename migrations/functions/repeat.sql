-- Repeat: what an idempotency key stands for. A call under a key is carried out once in 24 hours; repeated, it changes nothing and answers
-- what it answered. (That of a pick is in pick.sql, for it lasts as long as its leases.)

-- repeat_begin answers a call that was made under the same key before. Where none was it returns null, and keeps the key with the
-- subjects of this one until the transaction ends, so that of two calls at once one waits for the other's answer. p_given are
-- the subjects that the caller named. FQ001: the key stands for a call with other subjects.
create function fetchq.repeat_begin(q fetchq.queues, p_kind text, p_key text, p_given text[], p_subjects text[], p_now timestamptz)
returns fetchq.result[]
language plpgsql as $$
declare
    v_subjects text[];
    v_outcomes text[];
    v_details  text[];
begin
    if octet_length(p_key) not between 1 and 255 then
        perform fetchq.refuse('idempotency_key', format('the key has %s bytes; 1 to 255 are allowed', octet_length(p_key)));
    end if;
    execute format($t$
        insert into %I.requests as r (kind, key, expires_at, subjects) values ($4, $1, $2 + interval '24 hours', $3)
        on conflict (kind, key) do update set
            subjects = case when r.expires_at > $2 then r.subjects else excluded.subjects end,
            outcomes = case when r.expires_at > $2 then r.outcomes end,
            details = case when r.expires_at > $2 then r.details end,
            expires_at = case when r.expires_at > $2 then r.expires_at else excluded.expires_at end
        returning subjects, outcomes, details $t$, 'q_' || q.name)
    into v_subjects, v_outcomes, v_details using p_key, p_now, p_subjects, p_kind;
    if v_outcomes is null then
        return null;
    elsif cardinality(v_subjects) <> cardinality(p_subjects) then
        perform fetchq.refuse('idempotency_key', format('this key stands for a call with %s documents; this one has %s',
            cardinality(v_subjects), cardinality(p_subjects)));
    elsif exists (select from unnest(p_given, v_subjects) u (given, kept) where given <> kept) then
        perform fetchq.refuse('idempotency_key', 'this key stands for a call with other subjects');
    end if;
    return array(
        select (ord, subject, outcome, detail, null, null, null, null)::fetchq.result
        from unnest(v_subjects, v_outcomes, v_details) with ordinality u (subject, outcome, detail, ord) order by ord);
end $$;

-- repeat_end keeps the answer of a call for those that repeat it.
create function fetchq.repeat_end(q fetchq.queues, p_kind text, p_key text, p_rows fetchq.result[]) returns void
language plpgsql as $$
begin
    execute format($t$
        update %I.requests set
            outcomes = array(select outcome from unnest($2) r order by ord), details = array(select detail from unnest($2) r order by ord)
        where kind = $3 and key = $1 $t$, 'q_' || q.name)
    using p_key, p_rows, p_kind;
end $$;
