-- What becomes due when: a look ahead for pages.

-- queue_calendar returns, for p_steps steps from p_from on, how many planned documents become due in each; what is due already and
-- not marked yet counts to the first. It reads up to p_most entries of an index a step, shared between spots: partitions and the first
-- 20 versions of each, 512 in all. Where there are more entries, the number follows from how close together those stand that it read:
-- known is then about. Where all that it read stands within a hundredth of the step, that says nothing of the others, and known is
-- least; so it is where there are more spots.
create function fetchq.queue_calendar(p_queue text, p_from timestamptz, p_step interval, p_steps integer, p_most integer default 1000)
returns table (at timestamptz, documents bigint, known text)
language plpgsql stable set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
    q fetchq.queues := fetchq.queue_find(p_queue);
    v_leaves   constant text[] := fetchq.leaves(q);
    v_spots    text[] := '{}';     -- a statement for each partition that has a version planned
    v_versions integer[] := '{}';
    v_version  integer;
    v_known    text := 'exact';    -- least where spots are left out
    v_share    integer;
    v_read     bigint;
    v_last     timestamptz;
    v_end      timestamptz;
begin
    <<spots>>
    for i in 1 .. cardinality(v_leaves) loop
        v_version := -1;
        for n in 1 .. 21 loop
            v_version := fetchq.next_version(q, v_leaves[i], v_version, null);
            exit when v_version is null;
            if n = 21 or cardinality(v_spots) = 512 then
                v_known := 'least';
                exit spots when cardinality(v_spots) = 512;
                exit;
            end if;
            v_spots := v_spots || format($t$ select count(*), max(next_iteration) from (
                select next_iteration from %I.%I where status = 0 and version = $1 and next_iteration >= $2 and next_iteration < $3
                order by next_iteration limit $4) d $t$, 'q_' || p_queue, v_leaves[i]);
            v_versions := v_versions || v_version;
        end loop;
    end loop;
    v_share := greatest(p_most / greatest(cardinality(v_spots), 1), 10);
    for step in 0 .. p_steps - 1 loop
        at := p_from + step * p_step;
        v_end := at + p_step;
        documents := 0;
        known := v_known;
        for i in 1 .. cardinality(v_spots) loop
            execute v_spots[i] into v_read, v_last
                using v_versions[i]::smallint, case when step = 0 then '-infinity' else at end, v_end, v_share;
            if v_read = v_share and v_last - at < p_step / 100 then
                known := 'least';
            elsif v_read = v_share then
                known := case known when 'exact' then 'about' else known end;
                v_read := v_read * extract(epoch from p_step) / extract(epoch from v_last - at);
            end if;
            documents := documents + v_read;
        end loop;
        return next;
    end loop;
end $$;
