-- Error patterns: what stays of a message of an error when that is taken out which differs from time to time. Errors with one pattern are
-- one group, and its hash, the fingerprint, stands with each line of the log.
--
-- It is computed within the call that writes the line, so it looks at a bounded beginning and end of a message. The classes of letters
-- are those of the collation C: the pattern of a message is the same in every database.

-- error_pattern returns the pattern of a message. In the place of what was taken out stands …; a code of HTTP, of an exit or of SQL
-- stands at the end in brackets, for it says what went wrong.
create function fetchq.error_pattern(p_message text) returns text
language plpgsql immutable parallel safe as $f$
declare
    v text collate "C" := btrim(left(p_message, 2048), E' \n\r\t');
    v_code text;
begin
    if position(E'\n' in v) > 0 then
        v := fetchq.error_trace(v, right(p_message, 2048));
    end if;
    v := left(v, 1000);
    -- Each rule is tried where its sign stands: an expression that knows them all costs ten times as much, for Postgres begins it anew behind each match.
    v_code := (regexp_match(v, '\m(?:[Ss]tatus[ _-]?(?:[Cc]ode)?|[Cc]ode|HTTP(?:/[0-9.]+)?|[Ee]xit(?:ed)?(?: with)?(?: status| code)?|SQLSTATE)[\s:=("[]*([0-9][0-9A-Z]{4}|[0-9]{1,3})\M'))[1];
    if position('://' in v) > 0 then
        v := regexp_replace(v, '[A-Za-z][A-Za-z0-9+.-]*://[^\s"''<>`]+[^\s"''<>`.,;:)\]}]', '…', 'g');
    end if;
    if position('{' in v) > 0 then -- an object
        v := regexp_replace(v, '\{[^{}]*[:=][^{}]*\}', '…', 'g');
    end if;
    if v ~ '["`'']' then
        v := regexp_replace(v, $r$"(?:\\.|[^"\\])*"|`[^`']*[`']|(?<![[:alnum:]])'(?:\\.|[^'\\])*'$r$, '…', 'g');
    end if;
    if position('<' in v) > 0 then
        v := regexp_replace(v, '<[^<>\s]{1,100}>', '…', 'g');
    end if;
    if position('=(' in v) > 0 then -- the value of a key, as Postgres tells it
        v := regexp_replace(v, '=\([^()]*\)', '=…', 'g');
    end if;
    if position('@' in v) > 0 then
        v := regexp_replace(v, '[^\s<>@"''(),;:=]+@[[:alnum:]-]+(?:\.[[:alnum:]-]+)+', '…', 'g');
    end if;
    if position('/' in v) > 0 then -- a path
        v := regexp_replace(v, '(?<![[:alnum:]._-])~?(?:/[^\s/:"''()<>,;|=]+)+/?', '…', 'g');
    end if;
    if position('\' in v) > 0 then -- one of Windows
        v := regexp_replace(v, '\m[A-Z]:\\[^\s:"''()<>,;|]+', '…', 'g');
    end if;
    if position('arn:' in v) > 0 then
        v := regexp_replace(v, '\marn:[^\s"''()<>,;]+', '…', 'g');
    end if;
    if v ~ '(?:\m[Ii]|I|[_-]i)[Dd][ =:]' then -- what stands behind the name of an id
        v := regexp_replace(v, '(?:\m[Ii][Dd]|[a-z]I[Dd]|[_-]id)(?:\s*[:=]\s*|\s+[A-Z0-9-]{6})[^\s"''()<>,;]+', '…', 'g');
    end if;
    if position('.' in v) > 0 then -- hosts, and files of data
        v := regexp_replace(v, '[a-z0-9_.-]+\.(?:com|org|net|io|dev|app|co|edu|gov|info|biz|eu|de|uk|fr|nl|es|it|ch|at|pl|se|ru|cn|jp|in|br|us|ca|au'
            '|example|test|local|internal|lan|cluster|cloud|corp|home)(?![[:alnum:]_.(])', '…', 'g');
        v := regexp_replace(v, '[^\s/:"''()<>,;|=\[\]]+\.(?:csv|tsv|jsonl?|ndjson|xml|html?|pdf|png|jpe?g|gif|webp|svg|mp[34]|mov|zip|gz|tgz|tar|zst|parquet'
            '|txt|log|xlsx?|docx?|tmp|bak|dat)(?![[:alnum:]_.(])', '…', 'g');
    end if;
    if v ~ '::' then -- IPv6
        v := regexp_replace(v, '(?<![[:alnum:]:])[0-9a-fA-F]{1,4}(?::{1,2}[0-9a-fA-F]{1,4}){2,}(?![[:alnum:]:])', '…', 'g');
    end if;
    if v ~ '[0-9]' then -- numbers, dates, ids: words with a digit; then units behind them, and names of days and months before them
        v := regexp_replace(v, '(?:U\+)?[[:alnum:]-]*[0-9][[:alnum:]-]*(?:[.,:+][[:alnum:]-]*[0-9][[:alnum:]-]*)*', '…', 'g');
        v := regexp_replace(v, '…\s?(?:ns|us|µs|ms|s|[kKMGT]?i?B|%)(?![[:alpha:]])', '…', 'g');
        if v ~ '[a-z][a-z],? …' then
            v := regexp_replace(v, '(?:\m(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec|Mon|Tue|Wed|Thu|Fri|Sat|Sun)\M,?\s+)+…', '…', 'g');
        end if;
    end if;
    v := regexp_replace(v, '…(?:[\s,;:/.+_()\[\]&>-]*…)+', '…', 'g');
    v := btrim(regexp_replace(v, '\s\s+|[\n\r\t]', ' ', 'g'));
    return left(v, 300) || coalesce(' [' || v_code || ']', '');
end $f$;

-- error_trace returns what a message of several lines says first, and of a stack the frame in which it went wrong: the first of the program
-- itself, for that of a library is the same whoever called it wrongly. Who called that frame differs from time to time, and
-- numbers of lines differ from release to release. p_end is how the message ends: there Python says what went wrong.
create function fetchq.error_trace(p_message text, p_end text) returns text
language plpgsql immutable parallel safe as $f$
declare
    v       constant text collate "C" := p_message;
    v_end   constant text collate "C" := p_end;
    v_stack integer;
    v_head  text collate "C";
    v_frame text collate "C";
begin
    if v ~ '(?:^|\n)Traceback \(' then
        v_head := (regexp_match(v_end, '\n((?:[^\s][^\n]*\n?){1,3})\s*$'))[1];
        select m[1] || ' ' || m[2] into v_frame
        from regexp_matches(v_end, '\n  File "(?![^"\n]*(?:-packages/|/lib/python))(?:[^"\n]*/)?([^"/\n]+)", line [0-9]+, in ([^\n]+)', 'g')
            with ordinality t (m, n)
        order by n desc limit 1;
    elsif v ~ '\ngoroutine [0-9]' then
        v_head := left(v, position(E'\ngoroutine ' in v));
        v_frame := (regexp_match(v, '\n(?!panic\(|runtime[./]|created by|goroutine )([^\s][^\n]*)\([^()\n]*\)\n\t'))[1];
    else
        v_stack := regexp_instr(v, '\n\s+(?:at|from) |\n\s*#[0-9]+ |\n\s*[0-9]+: ');
        v_head := (regexp_match(case when v_stack > 0 then left(v, v_stack - 1) else v end, '^[^\n]*(?:\n+[^\s][^\n]*){0,2}'))[1];
        if v_stack > 0 then
            v_head := v_head || coalesce((regexp_match(v, '.*(\nCaused by: [^\n]*)'))[1], '');
            v_frame := (regexp_match(v, '\n\s+at (?!(?:async )?(?:node:|process\.|Promise\.|javax?\.|jdk\.|sun\.))([^\s(][^\n(]*)'))[1];
        end if;
    end if;
    return coalesce(v_head, v) || coalesce(' in ' || v_frame, '');
end $f$;

-- pattern_code returns the fingerprint of a pattern.
create function fetchq.pattern_code(p_pattern text) returns bigint
language sql immutable strict parallel safe as $$
    select ('x' || left(md5(p_pattern), 16))::bit(64)::bigint
$$;

-- fingerprint_text writes a fingerprint as callers see it, 16 hexadecimal digits: JSON's numbers are too short in many languages.
create function fetchq.fingerprint_text(p_fingerprint bigint) returns text
language sql immutable strict parallel safe as $$
    select lpad(to_hex(p_fingerprint), 16, '0')
$$;

-- fingerprint_of reads what fingerprint_text writes. FQ001 names the field.
create function fetchq.fingerprint_of(p_field text, p_text text) returns bigint
language plpgsql immutable as $$
begin
    if p_text !~ '^[0-9a-f]{16}$' then
        perform fetchq.refuse(p_field, 'a fingerprint is 16 of 0-9 and a-f');
    end if;
    return ('x' || p_text)::bit(64)::bigint;
end $$;

-- error_fingerprint returns the fingerprint of a message: that of its pattern.
create function fetchq.error_fingerprint(p_message text) returns bigint
language sql immutable strict parallel safe as $$
    select fetchq.pattern_code(fetchq.error_pattern(p_message))
$$;
