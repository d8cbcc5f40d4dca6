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
    v_leaves    constant text[] := fetchq.leaves(q);
    v_spots     text[] := '{}';    -- a statement for each partition that has a version planned
    v_versions  integer[] := '{}';
    v_version   integer;
    v_least     boolean := false;  -- spots are left out
    v_share     integer;
    v_reads     bigint[];          -- of one spot, by step
    v_lasts     timestamptz[];
    v_documents bigint[] := array_fill(0::bigint, array[p_steps]);
    v_known     text[];
begin
    <<spots>>
    for i in 1 .. cardinality(v_leaves) loop
        v_version := -1;
        for n in 1 .. 21 loop
            v_version := fetchq.next_version(q, v_leaves[i], v_version, null);
            exit when v_version is null;
            if n = 21 or cardinality(v_spots) = 512 then
                v_least := true;
                exit spots when cardinality(v_spots) = 512;
                exit;
            end if;
            v_spots := v_spots || format($t$
                select array_agg(d.n order by s.step), array_agg(d.last order by s.step)
                from generate_series(0, $5 - 1) s (step), lateral (
                    select count(*) as n, max(next_iteration) as last from (
                        select next_iteration from %I.%I where status = 0 and version = $1
                            and next_iteration >= case when s.step = 0 then '-infinity' else $2 + s.step * $3 end
                            and next_iteration < $2 + (s.step + 1) * $3
                        order by next_iteration limit $4) e) d $t$, 'q_' || p_queue, v_leaves[i]);
            v_versions := v_versions || v_version;
        end loop;
    end loop;
    v_share := greatest(p_most / greatest(cardinality(v_spots), 1), 10);
    v_known := array_fill(case when v_least then 'least' else 'exact' end, array[p_steps]);
    for i in 1 .. cardinality(v_spots) loop
        execute v_spots[i] into v_reads, v_lasts using v_versions[i]::smallint, p_from, p_step, v_share, p_steps;
        for step in 1 .. p_steps loop
            if v_reads[step] = v_share then
                at := p_from + (step - 1) * p_step;
                if v_lasts[step] - at < p_step / 100 then
                    v_known[step] := 'least';
                else
                    v_reads[step] := v_reads[step] * extract(epoch from p_step) / extract(epoch from v_lasts[step] - at);
                    if v_known[step] = 'exact' then
                        v_known[step] := 'about';
                    end if;
                end if;
            end if;
            v_documents[step] := v_documents[step] + v_reads[step];
        end loop;
    end loop;
    return query select p_from + (step - 1) * p_step, v_documents[step], v_known[step] from generate_series(1, p_steps) step;
end $$;
