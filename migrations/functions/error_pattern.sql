-- Error patterns: what stays of a message of an error when that is taken out which differs from time to time. Errors with one pattern are
-- one group, and its hash, the fingerprint, stands with each line of the log.
--
-- It is computed within the call that writes the line, so it looks at a bounded beginning and end of a message. The classes of letters
-- are those of the collation C: the pattern of a message is the same in every database.

-- error_pattern returns the pattern of a message. In the place of what was taken out stands …; a code of HTTP, of an exit, of the system or of SQL
-- stands at the end in brackets, for it says what went wrong.
--
-- Each rule is tried where its sign stands. What an expression costs goes by its size, before it has looked at a letter: one that knows all rules, or names
-- a hundred words, costs ten times as much as those here. A connection remembers 32 of them, and reads the others anew.
create function fetchq.error_pattern(p_message text) returns text
language plpgsql immutable parallel safe as $f$
declare
    v text collate "C" := btrim(left(p_message, 2048), E' \n\r\t');
    v_codes text[];
    v_said  text collate "C";
    v_dated boolean;
begin
    if position(E'\n' in v) > 0 then
        v := fetchq.error_trace(v, right(p_message, 2048));
    end if;
    v := left(v, 1000);
    v_codes := regexp_match(v, '(?:tatus|[^a-z]code|Code|TTP(?:/[0-9.]+)?|(?:P|ed) error|xit(?:ed)?(?: with)?|ignal|rrno|STATE)'
        '[\s:=("''[]+([0-9][0-9A-Z]{4}|[0-9]{1,4})(?![[:alnum:]_])');
    if position(', data ' in v) > 0 then -- what an error of a directory says more closely
        v_codes := v_codes || (regexp_match(v, ', data ([0-9a-f]{1,4}),'))[1];
    end if;
    if position('{' in v) > 0 or position('="' in v) > 0 or position('= "' in v) > 0 then -- what a key says that is there to say it
        v_said := array_to_string(regexp_match(v, $r$(?:rr(?:or|msg)?|sg|essage|eason|etails?|esc|escription)["']?\s?[:=]\s?(?:"((?:\\.|[^"\\]){4,})"|'((?:\\.|[^'\\]){4,})')$r$), '');
        if v_said <> '' then
            v := replace(v, v_said, '') || ' ' || replace(v_said, '\"', '"');
        end if;
    end if;
    if position('://' in v) > 0 then
        v := regexp_replace(v, '[A-Za-z][A-Za-z0-9+.-]*://[^\s"''<>`]+[^\s"''<>`.,;:)\]}]', '…', 'g');
    end if;
    for _ in 1..3 loop -- an object, and those around it
        exit when position('{' in v) = 0;
        v := regexp_replace(v, '\{[^{}]*[:=…][^{}]*\}', '…', 'g');
    end loop;
    if translate(v, '"''`‘“', '') <> v then
        v := regexp_replace(v, $r$"(?:\\.|[^"\\])*"|`[^`']*[`']|(?<![[:alnum:]])'(?:\\.|[^'\\])*'|‘[^’]*’|“[^”]*”$r$, '…', 'g');
    end if;
    if position('==' in v) > 0 or position('>=' in v) > 0 or position('@' in v) > 0 then -- a package and its version
        v := regexp_replace(v, $r$[^\s"'()<>=,;:\[\]]+(?:[=<>~!]=|[<@])[~^]?v?[0-9][[:alnum:].+*-]*(?:,[=<>~!]=?[0-9][[:alnum:].+*-]*)*(?![[:alnum:]@.-])$r$, '…', 'g');
    end if;
    if position('<' in v) > 0 then
        v := regexp_replace(v, '<[^<>\s]{1,100}>', '…', 'g');
    end if;
    if position('=' in v) > 0 then -- values of keys: as Postgres tells them, names of a directory, and others but of keys that tell what went wrong
        if position('=(' in v) > 0 then
            v := regexp_replace(v, '=\([^()]*\)', '=…', 'g');
        end if;
        if v like '%=%,%=%' then
            v := regexp_replace(v, $r$[A-Za-z]+=(?:(?:\\.|[^,=\\:;"'<>()\n])+,[A-Za-z]+=)+[^\s,:;"'()<>]+$r$, '…', 'g');
        end if;
        v := regexp_replace(v, $r$([[:alnum:]_]=)(?<!(?:ode|tatus|rror|eason|ype|tate|sult|evel|gnal|ind|lass|ause|sg|essage|esc)=)[^\s,;:()\[\]{}"'<>=…]+$r$, '\1…', 'g');
    end if;
    if position('@' in v) > 0 then -- an address, and what is there
        v := regexp_replace(v, '[^\s<>@"''(),;:=]+@[[:alnum:]-]+(?:\.[[:alnum:]-]+)*(?::[^\s"''(),;:]+)?', '…', 'g');
    end if;
    if position('/' in v) > 0 then -- a path; one that begins in between, and the tag of an image, but no place in a program
        v := regexp_replace(v, '(?<![[:alnum:]._-])~?(?:/[^\s/:"''()<>,;|=]+)+/?', '…', 'g');
        if position('/' in v) > 0 then
            v := regexp_replace(v, $r$[[:alnum:]._@-]*[[:lower:]0-9_.@][[:alnum:]._@-]*(?:/[^\s/:"'()<>\[\],;|=…]+)+(?::[A-Za-z][[:alnum:]_.-]*)?(?![[:alnum:]_/-]|:[0-9])$r$, '…', 'g');
        end if;
    end if;
    if position(':\' in v) > 0 or position('arn:' in v) > 0 then -- a path of Windows, a resource of a cloud
        v := regexp_replace(v, '\m(?:[A-Z]:\\[^\s:"''()<>,;|]+|arn:[^\s"''()<>,;]+)', '…', 'g');
    end if;
    if position('ID' in v) > 0 or position('Id' in v) > 0 or position('id=' in v) > 0 or position('id:' in v) > 0 or position('id ' in v) > 0 then -- what stands behind the name of an id
        v := regexp_replace(v, '(?:[Ii][Dd](?<![[:alnum:]_]..)|[a-z]I[Dd]|[_-]id)(?:\s*[:=]\s*|\s+[A-Z0-9-]{6})[^\s"''()<>,;]+', '…', 'g');
    end if;
    if position('.' in v) > 0 then -- hosts, and files of data
        v := regexp_replace(v, '[a-z0-9_.-]+\.(?:com|org|net|io|dev|app|co|edu|gov|info|biz|eu|de|uk|fr|nl|es|it|ch|at|pl|se|ru|cn|jp|in|br|us|ca|au'
            '|example|test|local|internal|lan|cluster|cloud|corp|home)(?!\.?[[:alnum:]_(])', '…', 'g');
        v := regexp_replace(v, '[^\s/:"''()<>,;|=\[\]]+\.(?:[ct]sv|(?:nd)?json|jsonl|xml|html?|p(?:df|ng|arquet)|jpe?g|gif|webp|svg|m(?:p[34]|ov|d)|z(?:ip|st)|gz'
            '|t(?:gz|ar|xt|mp|oml)|ya?ml|lo(?:g|ck)|xlsx?|docx?|bak|dat|sql)(?!\.?[[:alnum:]_(])', '…', 'g');
        if position('…/' in v) > 0 then -- what is on a host
            v := regexp_replace(v, '…/[^\s"''(),;…]*[[:alnum:]/]', '…', 'g');
        end if;
    end if;
    if position(', ' in v) > 0 then -- a list of names of several parts
        v := regexp_replace(v, '[[:lower:]][[:alnum:]]*(?:[._-][[:alnum:]]+)+(?:, [[:lower:]][[:alnum:]]*(?:[._-][[:alnum:]]+)+)+', '…', 'g');
    end if;
    if position('localhost' in v) > 0 then
        v := replace(v, 'localhost', '…');
    end if;
    if position('[' in v) > 0 then -- who says it; a name of several parts
        v := regexp_replace(v, '\[(?:[^\s\[\]]+\]:|[[:lower:]][[:alnum:]]*(?:[._-][[:alnum:]]+)+\])', '[…]', 'g');
    end if;
    if position('::' in v) > 0 then -- IPv6
        v := regexp_replace(v, '(?<![[:alnum:]:])[0-9a-fA-F]{1,4}(?::{1,2}[0-9a-fA-F]{1,4}){2,}(?!:?[[:alnum:]])', '…', 'g');
    end if;
    if translate(v, '0123456789', '') <> v then -- numbers, dates, ids: words with a digit; with units behind them, and names of days and months before them
        v_dated := v like '%:__:%' or v like '%20__%';
        v := regexp_replace(v, '(?:U\+)?[[:alnum:]_-]*[0-9][[:alnum:]-]*(?:[.,:+][[:alnum:]-]*[0-9][[:alnum:]-]*)*(?:%|\s(?:ns|us|µs|ms|s|[kKMGT]?i?B)(?![[:alpha:]]))?', '…', 'g');
        if v_dated then
            v := regexp_replace(v, '(?:(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec|Mon|Tue|Wed|Thu|Fri|Sat|Sun),?\s+)+…', '…', 'g');
        end if;
    end if;
    if position('.…' in v) > 0 then
        v := regexp_replace(v, '[[:alnum:]_-]+\.…', '…', 'g');
    end if;
    -- Names without a digit, by where they stand: behind a preposition or a comma and a word for what they name, behind that word where they are
    -- of several parts, behind what says that it is not there.
    if position('user' in v) > 0 or position('role' in v) > 0 or position('table' in v) > 0 or position('column' in v) > 0 or position('field' in v) > 0
        or position('index' in v) > 0 or position('topic' in v) > 0 or position('queue' in v) > 0 or position('bucket' in v) > 0
        or position('branch' in v) > 0 or position('image' in v) > 0 or position('file' in v) > 0 or position('host' in v) > 0 or position('dev' in v) > 0 then
        v := regexp_replace(v, '((?:[aobit][rsfyonmh]|[,;(]|known|fined|ssing|valid|figured)\s(?:user|role|table|column|field|index|topic|queue|bucket|branch|image|file|host|dev)(?:\sname)?\s)'
        '(?!(?:is|was|are|has|had|does|did|not|cannot|can|must|may|will|and|or|to|of|in|on|at|by|for|from|with|that|which|because|after|already|failed|closed|timed|names?|id|type)[^[:alnum:]_-])'
        '[^\s,;:()\[\]"''<>=…]*[^\s,;:()\[\]"''<>=.…]', '\1…', 'g');
    end if;
    if position('opic ' in v) > 0 or position('able ' in v) > 0 or position('ield ' in v) > 0 or position('ndex ' in v) > 0 or position('ueue ' in v) > 0
        or position('ollection ' in v) > 0 or position('onstraint ' in v) > 0 then
        v := regexp_replace(v, '((?:[Tt]opic|[Tt]able|[Ff]ield|[Ii]ndex|[Qq]ueue|ollection|onstraint)\s)(?:[[:alnum:]_-]+(?:[._/@:][[:alnum:]_-]+)+|\[[^\s\]]+\])', '\1…', 'g');
    end if;
    if position('exist' in v) > 0 or position('found' in v) > 0 or position('such ' in v) > 0 or position('nknown ' in v) > 0 then
        v := regexp_replace(v, '((?:exists?|found|such\s[a-z]+|nknown\s[a-z]+):\s)[^\s,;:()\[\]"''<>=…]+(?=\s*(?:$|[,;()\[\]]))', '\1…', 'g');
    end if;
    if v like '%, %: %, %: %, %: %' then -- a list of keys and values
        v := regexp_replace(v, '(?:[,;]\s[[:alnum:]_.-]+:\s[^\s,;:]+(?=[,;)]|$)){3,}', ', …', 'g');
    end if;
    if position('rue' in v) > 0 or position('alse' in v) > 0 or position('null' in v) > 0 or position('nil' in v) > 0 or position('one' in v) > 0 then
        v := regexp_replace(v, '(:\s?)(?:[Tt]rue|[Ff]alse|null|nil|[Nn]one)(?=\s*(?:[,;.)\]}]|$))', '\1…', 'g');
    end if;
    if position(' @ ' in v) > 0 then
        v := regexp_replace(v, '[^\s\[]+\s@\s…', '…', 'g');
    end if;
    if position('SELECT ' in v) > 0 then -- what was asked for
        v := regexp_replace(v, 'SELECT\s[^;]*\sFROM\s[^\s,;()]+', 'SELECT …', 'g');
    end if;
    if position(' -> ' in v) > 0 then
        v := regexp_replace(v, '[^\s(]+\s->\s[^\s,;)]+', '…', 'g');
    end if;
    -- What is told beside: in parentheses what follows a value, how long and how often; values of keys at the end.
    if (v like '%…)%' or right(v, 3) like '%…%') and (v like '%:_…%' or position('=…' in v) > 0) then
        v := regexp_replace(v, '(?:[,;]\s[[:alnum:]_.-]+(?:\s[[:alnum:]_.-]+)?:\s?…|[,;]?\s[[:alnum:]_.-]+=…)+(?=[.\s]*$|\))', '', 'g');
    end if;
    if position(' (' in v) > 0 then
        if v like '%(%…%, %)%' then
            v := regexp_replace(v, '(\(…)(?:, [^\s(),]+)+\)|(\([^()…]*…[^()…]*), …(?:[^()]|\(s\))*\)', '\1\2)', 'g');
        end if;
        v := regexp_replace(v, '\s\((?:…[…:.]*[^():]*|(?:after|took|in|attempt|retr|reached|pid|uid)[^()…]*…|[a-z][^\s():=[:upper:]]+)\)', '', 'g');
    end if;
    v := replace(v, '….', '…');
    if v like '%…%…%' then
        v := regexp_replace(v, '…(?:[\s,;:/.+_()\[\]&>-]*…)+', '…', 'g');
    end if;
    if position('you mean' in v) > 0 then -- what is guessed
        v := regexp_replace(v, '\s?(?:[Dd]id|[Mm]aybe) you meant?[^?]*\?', '', 'g');
    end if;
    if position('; …' in v) > 0 then -- what was counted beside
        v := regexp_replace(v, ';\s…\s[a-z ]+$', '');
    end if;
    if position('), …' in v) > 0 then -- the same of each of several
        v := regexp_replace(v, '(… \((?:[^()]|\([^()]*\))*\))(?:, \1)+', '\1', 'g');
    end if;
    if translate(v, E'\n\r\t', '') <> v or position('  ' in v) > 0 then
        v := regexp_replace(v, '\s\s+|[\n\r\t]', ' ', 'g');
    end if;
    return left(btrim(v), 300) || coalesce(' [' || nullif(array_to_string(v_codes, ' '), '') || ']', '');
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
