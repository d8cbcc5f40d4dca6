-- Looks into many queues in one call.
--
-- A call takes a lock on each table and index that it reads, and keeps it until its transaction ends; the server has room for
-- some thousands of these, for all sessions together. So each visit is a subtransaction that ends in FQ000, which gives its locks
-- back; what it read stands in variables, which no rollback touches.

-- subject_search finds documents by the beginning of their subjects, in all queues or in those of p_queues: first those whose
-- subject is p_text, then others, each in the order of queue and subject, p_limit at most. p_end is the first text behind all
-- that begin with p_text; null: there is none. It visits the first p_visits queues by name, and reads of each only the range
-- of the primary key that may be shown.
create function fetchq.subject_search(
    p_text text, p_end text, p_queues text[] default null, p_limit integer default 50, p_visits integer default 1000
) returns table (queue text, subject text, status smallint, exact boolean)
language plpgsql stable set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
    v_queue    text;
    v_found    text[];
    v_statuses smallint[];
    v_others   integer := 0; -- hits that are not exact; when there are enough, the queues behind are asked for the exact one only
    v_queues   text[] := '{}';
    v_subjects text[] := '{}';
    v_all      smallint[] := '{}';
begin
    for v_queue in
        select name from fetchq.queues where p_queues is null or name = any (p_queues) order by name limit p_visits
    loop
        begin
            execute format($t$
                select array_agg(d.subject), array_agg(d.status)
                from (
                    select subject, status from %I.docs
                    where subject >= $1 and ($2 is null or subject < $2) and ($3 > 0 or subject = $1)
                    order by subject limit $3 + 1
                ) d $t$, 'q_' || v_queue)
            into v_found, v_statuses using p_text, p_end, p_limit - v_others;
            raise exception using errcode = 'FQ000';
        exception
            when sqlstate 'FQ000' then null;
            when invalid_schema_name or undefined_table then continue; -- it was dropped in this moment
        end;
        continue when v_found is null;
        v_queues := v_queues || array_fill(v_queue, array[cardinality(v_found)]);
        v_subjects := v_subjects || v_found;
        v_all := v_all || v_statuses;
        v_others := least(p_limit, v_others + cardinality(v_found) - (v_found[1] = p_text)::integer);
    end loop;
    return query
        select u.*, u.subject = p_text from unnest(v_queues, v_subjects, v_all) u (queue, subject, status)
        order by u.subject = p_text desc, u.queue collate "C", u.subject collate "C" limit p_limit;
end $$;
