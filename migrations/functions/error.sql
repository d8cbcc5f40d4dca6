-- Errors: groups of those that say the same. A call that writes lines of errors writes what it adds to their groups into a table of the queue,
-- in the same transaction, and locks no group; the fold puts that together in fetchq.error_groups and fetchq.error_counts, as it does the counters.
--
-- A queue has 1,000 groups at most: what is new beyond them is counted in a group of its own, whose fingerprint is 0, and its
-- lines keep their fingerprints. So messages that nobody can group fill nothing.

-- errors_build makes what the schema s of a queue lacks for errors, but the index of a log that has lines already.
create function fetchq.errors_build(s text) returns void
language plpgsql as $$
begin
    execute format('alter table %I.logs add column if not exists fingerprint bigint', s);
    execute format($t$
        create table if not exists %I.error_deltas (
            at          timestamptz not null,
            fingerprint bigint      not null,
            version     smallint, -- of the documents
            errors      bigint      not null,
            documents   bigint[]    not null,
            pattern     text        not null,
            sample      text        not null
        ) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0) $t$, s);
end $$;

-- errors_index is the index by which the lines of a group are found, the newest first. Notes, and lines from before there were fingerprints, are
-- not in it.
create function fetchq.errors_index(s text) returns text
language sql stable as $$
    select format('logs_fingerprint on %I.logs (fingerprint, created_at, id) where fingerprint is not null', s)
$$;

-- errors_plan returns what is to be done about that index: statements that run outside of transactions.
create function fetchq.errors_plan(p_queue text) returns setof text
language sql stable as $$
    with here as (
        select i.indisvalid as valid from pg_index i where i.indexrelid = to_regclass(format('%I.logs_fingerprint', 'q_' || p_queue))
    )
    select format('drop index concurrently if exists %I.logs_fingerprint', 'q_' || p_queue) where exists (select from here where not valid)
    union all
    select 'create index concurrently if not exists ' || fetchq.errors_index('q_' || p_queue) where not exists (select from here where valid)
$$;

-- least_hashes returns the 128 least of the hashes of some subjects, by which document_estimate tells how many there are.
create function fetchq.least_hashes(p_subjects text[]) returns bigint[]
language sql immutable parallel safe as $$
    select array(select distinct hashtextextended(s collate "C", 0) from unnest(p_subjects) s where s is not null order by 1 limit 128)
$$;

-- document_estimate tells how many subjects have these least hashes: below 128 exactly, else within a tenth in two of three cases. Hashes are
-- spread evenly over 2^64 numbers, so that the 128th least of n lies at about 128/n of them. Source: Z. Bar-Yossef et al., Counting distinct
-- elements in a data stream, 2002.
create function fetchq.document_estimate(p_hashes bigint[]) returns bigint
language sql immutable parallel safe as $$
    select case when cardinality(p_hashes) < 128 then cardinality(p_hashes)
        else (127 / ((p_hashes[128]::float8 + 9223372036854775808) / 18446744073709551616))::bigint end
$$;

-- error_deltas_text is the part of a statement that writes what errors add to their groups: p_lines selects at, version, subject, message and
-- pattern of each.
create function fetchq.error_deltas_text(s text, p_lines text) returns text
language sql stable as $f$
    select format($t$, grouped as (
            insert into %I.error_deltas (at, fingerprint, version, errors, documents, pattern, sample)
            select at, fetchq.pattern_code(pattern), version, count(*), fetchq.least_hashes(array_agg(subject)), pattern, min(left(message, 500))
            from (%s) l (at, version, subject, message, pattern) group by at, version, pattern
        )$t$, s, p_lines)
$f$;

-- mnt_errors puts what was added together by group, and returns how many rows it moved.
create function fetchq.mnt_errors(p_queue text) returns bigint
language plpgsql set jit = off as $$
declare
    n bigint;
begin
    execute format($t$
        with gone as (
            delete from %I.error_deltas returning *
        ), fresh as materialized (
            select fingerprint, row_number() over (order by min(at), fingerprint) as place from gone g
            where not exists (select from fetchq.error_groups e where e.queue = $1 and e.fingerprint = g.fingerprint)
            group by fingerprint
        ), one as materialized (
            select g.*, case when f.place > 1000 - (select count(*) from fetchq.error_groups e where e.queue = $1 and e.fingerprint <> 0) then 0
                else g.fingerprint end as code
            from gone g left join fresh f on f.fingerprint = g.fingerprint
        ), hashes as (
            select code, (array_agg(hash order by hash))[: 128] as documents from (select distinct code, unnest(documents) as hash from one) h group by code
        ), sums as (
            select code, min(at) as first_seen, max(at) as last_seen, sum(errors) as errors,
                (array_agg(distinct version) filter (where version is not null))[: 20] as versions,
                (array_agg(pattern order by at desc))[1] as pattern, (array_agg(sample order by at desc))[1] as sample
            from one group by code
        ), kept as (
            insert into fetchq.error_groups as e
            select $1, s.code, s.first_seen, s.last_seen, s.errors, coalesce(s.versions, '{}'), coalesce(h.documents, '{}'),
                case when s.code <> 0 then s.pattern else '' end, s.sample
            from sums s left join hashes h on h.code = s.code order by s.code
            on conflict (queue, fingerprint) do update set
                first_seen = least(e.first_seen, excluded.first_seen), last_seen = greatest(e.last_seen, excluded.last_seen),
                errors = e.errors + excluded.errors,
                versions = case when excluded.versions <@ e.versions then e.versions
                    else array(select distinct v from unnest(e.versions || excluded.versions) v order by v desc limit 20) end,
                documents = case when excluded.documents <@ e.documents then e.documents
                    else array(select distinct h from unnest(e.documents || excluded.documents) h order by h limit 128) end,
                sample = case when excluded.last_seen >= e.last_seen then excluded.sample else e.sample end
        ), counted as (
            insert into fetchq.error_counts as c
            select $1, code, step, date_bin(make_interval(secs => step), at, 'epoch'), sum(errors)
            from one cross join fetchq.error_steps() group by 2, 3, 4 order by 2, 3, 4
            on conflict (queue, fingerprint, step, slot) do update set errors = c.errors + excluded.errors
        )
        select count(*) from gone $t$, 'q_' || p_queue) into n using p_queue;
    return n;
end $$;

-- error_steps are the steps, in seconds, in which errors are counted, and how long each is kept.
create function fetchq.error_steps() returns table (step integer, kept interval)
language sql immutable parallel safe as $$
    values (300, interval '26 hours'), (3600, interval '8 days'), (21600, interval '400 days')
$$;

-- errors_expire removes counts of steps that are kept no longer, groups that were last seen before the log's oldest line may be, and, where a
-- queue has all the groups that it may have, those that have been silent for a day, so that there is room for new ones. p_limit rows of each sort at most.
create function fetchq.errors_expire(q fetchq.queues, p_limit integer, p_now timestamptz, out items bigint, out more boolean)
language plpgsql as $$
declare
    v_full constant boolean := (select count(*) > 1000 from fetchq.error_groups where queue = q.name and fingerprint <> 0)
        or exists (select from fetchq.error_groups where queue = q.name and fingerprint = 0 and last_seen > p_now - interval '1 day');
    v_step record;
    v_gone bigint[];
    n      bigint;
begin
    items := 0;
    more := false;
    for v_step in select * from fetchq.error_steps() loop
        with old as materialized (
            select fingerprint, step, slot from fetchq.error_counts
            where queue = q.name and step = v_step.step and slot < p_now - v_step.kept
            order by slot limit p_limit for update skip locked
        )
        delete from fetchq.error_counts c using old
        where c.queue = q.name and (c.fingerprint, c.step, c.slot) = (old.fingerprint, old.step, old.slot);
        get diagnostics n = row_count;
        items := items + n;
        more := more or n = p_limit;
    end loop;
    v_gone := array(
        select fingerprint from fetchq.error_groups
        where queue = q.name and (last_seen < p_now - q.logs_retention or v_full and last_seen < p_now - interval '1 day')
        order by fingerprint for update skip locked);
    delete from fetchq.error_groups where queue = q.name and fingerprint = any (v_gone);
    delete from fetchq.error_counts where queue = q.name and fingerprint = any (v_gone);
    items := items + cardinality(v_gone);
end $$;

-- errors_forget removes all groups of a queue.
create function fetchq.errors_forget(p_queue text) returns void
language sql as $$
    delete from fetchq.error_groups where queue = p_queue;
    delete from fetchq.error_counts where queue = p_queue
$$;

-- errors_fill gives fingerprints to those of the newest p_limit lines that are errors and have none: they were written before there were
-- fingerprints. Older ones stay in the log without a group. It returns how many it filled.
create function fetchq.errors_fill(p_queue text, p_limit integer default 10000) returns bigint
language plpgsql set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
    n bigint;
begin
    perform fetchq.queue_find(p_queue);
    execute format($t$
        with old as materialized (
            select created_at, id, subject, message, fetchq.error_pattern(message) as pattern
            from (select * from %1$I.logs order by created_at desc, id desc limit $1) l
            where kind = 1 and fingerprint is null
        ), filled as (
            update %1$I.logs l set fingerprint = fetchq.pattern_code(old.pattern)
            from old where l.created_at = old.created_at and l.id = old.id and l.fingerprint is null
            returning old.*
        )%2$s
        select count(*) from filled $t$, 'q_' || p_queue, fetchq.error_deltas_text('q_' || p_queue, $t$
            select date_bin('5 minutes', created_at, 'epoch'), null::smallint, subject, message, pattern from filled $t$))
    into n using p_limit;
    return n + case when n > 0 then fetchq.mnt_errors(p_queue) else 0 end;
end $$;

-- errors_recount makes the groups of a queue anew from all lines that have a fingerprint; nobody may be writing any.
create function fetchq.errors_recount(p_queue text) returns void
language plpgsql as $$
begin
    perform fetchq.errors_forget(p_queue);
    execute format($t$
        truncate %1$I.error_deltas;
        insert into %1$I.error_deltas (at, fingerprint, errors, documents, pattern, sample)
        select max(created_at), fingerprint, count(*), fetchq.least_hashes(array_agg(subject)), fetchq.error_pattern(min(message)), left(min(message), 500)
        from %1$I.logs where fingerprint is not null
        group by fingerprint, date_bin('5 minutes', created_at, 'epoch') $t$, 'q_' || p_queue);
    perform fetchq.mnt_errors(p_queue);
end $$;
