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
    v := left(v, 500);
    v_code := (regexp_match(v, '(?:\mstatus(?:[ _-]?code)?|\mcode|\mHTTP(?:/[0-9.]+)?|\mexit(?:ed)?(?: with)?(?: status| code)?|\mSQLSTATE)[\s:=("[]*([0-9][0-9A-Z]{4}|[0-9]{1,3})\M', 'i'))[1];
    v := regexp_replace(v, $r$(?x)
        \m[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s"'<>`]+[^\s"'<>`.,;:)\]}]           # a URL
        | \{[^{}]*[:=][^{}]*\}                                                  # an object
        | "(?:\\.|[^"\\])*" | `[^`]*` | (?<![[:alnum:]])'(?:\\.|[^'\\])*'        # what is quoted
        | =\([^()]*\)                                                           # the value of a key, as Postgres tells it
        | [[:alnum:]._%+-]+@[[:alnum:]-]+(?:\.[[:alnum:]-]+)+                    # an address of mail
        | \m[0-9]{4}-[0-9]{2}-[0-9]{2}[T\s][0-9]{2}:[0-9:.,]+(?:Z|\s?[+-][0-9]{2}:?[0-9]{2}|\sUTC)?
        | \m(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec|Mon|Tue|Wed|Thu|Fri|Sat|Sun)\M,?(?=\s+[0-9])
        | (?<![[:alnum:]:])[0-9a-fA-F]{1,4}(?::{1,2}[0-9a-fA-F]{1,4}){2,}(?![[:alnum:]:]) # IPv6
        | (?<![[:alnum:]._-])~?(?:/[^\s/:"'()<>,;|=]+)+/?                        # a path
        | \m[A-Z]:\\[^\s:"'()<>,;|]+                                            # one of Windows
        | \m(?:[a-z0-9_-]+\.)+(?:com|org|net|io|dev|app|co|edu|gov|info|biz|eu|de|uk|fr|nl|es|it|ch|at|pl|se|ru|cn|jp|in|br|us|ca|au
            |example|test|local|localhost|internal|lan|cluster|cloud|corp|home)(?::[0-9]+)?(?![[:alnum:]_.(])  # a host
        | \marn:[^\s"'()<>,;]+
        | (?<![[:alnum:]])(?:[[:alnum:]]*[-_ ])?[A-Za-z]*[Ii][Dd]\s*[:=]\s*[^\s"'()<>,;]+              # the value of an id
        | [^\s/:"'()<>,;|=\[\]]+\.(?:csv|tsv|json|jsonl|ndjson|xml|html?|pdf|png|jpe?g|gif|webp|svg|mp[34]|mov|zip|gz|tgz|tar|zst|parquet
            |txt|log|xlsx?|docx?|tmp|bak|dat)(?![[:alnum:]_.(])                   # a file of data
        | \m(?=[[:alnum:]_-]{8})[[:alnum:]_-]*[0-9][[:alnum:]_-]*               # an id
        | \m(?:0x|U\+)[0-9a-fA-F]+ | \m[A-Za-z]*[0-9]+[A-Za-z]+[0-9][[:alnum:]]*
        | [+-]?[0-9]+(?:[.,:][0-9]+)*(?:(?:ns|us|µs|ms|s|m|h|d|[kKMGT]?i?B|%)(?![[:alpha:]]))?(?:[0-9.]+(?:ms|s|m)(?![[:alpha:]]))*  # with a unit
        $r$, '…', 'g');
    v := regexp_replace(v, '…(?:[\s,;:/.+_()\[\]&>-]*…)+', '…', 'g');
    v := btrim(regexp_replace(v, '\s+', ' ', 'g'));
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

-- error_fingerprint returns the fingerprint of a message: that of its pattern.
create function fetchq.error_fingerprint(p_message text) returns bigint
language sql immutable strict parallel safe as $$
    select fetchq.pattern_code(fetchq.error_pattern(p_message))
$$;
