package backup

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
)

// settings are those that the text of COPY hangs on, whatever the role or the database has set; and a backup takes as long as it takes.
var settings = []string{
	"set datestyle = 'ISO, MDY'", "set intervalstyle = 'postgres'", "set bytea_output = 'hex'", "set extra_float_digits = 1",
	"set statement_timeout = 0", "set idle_in_transaction_session_timeout = 0", "set jit = off",
}

// connect opens a connection that reads and writes COPY text.
func (b *Backups) connect(ctx context.Context) (*pgx.Conn, error) {
	conn, err := b.opt.Connect(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, strings.Join(settings, "; ")); err != nil {
		closeConn(ctx, conn)
		return nil, database.Error("prepare a connection", err)
	}
	return conn, nil
}

// closeConn closes a connection, also after its context has ended.
func closeConn(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}

// release gives back the locks of a connection and closes it. Postgres would give them back some time after it is closed, and who tries again at
// once would be told that somebody else is at it.
func release(ctx context.Context, conn *pgx.Conn) {
	unlock, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_, _ = conn.Exec(unlock, `select pg_advisory_unlock_all()`) // of one that is broken they are gone
	closeConn(ctx, conn)
}

// snapshot is what the backup is of. While it is held nobody drops, truncates or renames its queues, and everything else goes on.
type snapshot struct {
	conn     *pgx.Conn
	id       string
	at       time.Time
	postgres string
	queues   []Queue
	sources  []reading

	installation []Table
}

// reading is one text to read.
type reading struct {
	queue int    // of the manifest, or installation
	table string // as its members are called
	query string
}

// takeSnapshot locks the queues against whoever removes them whole, and exports a snapshot of that moment. No queues are all of them.
func (b *Backups) takeSnapshot(ctx context.Context, queues []string, whole bool) (*snapshot, error) {
	conn, err := b.connect(ctx)
	if err != nil {
		return nil, err
	}
	s := &snapshot{conn: conn}
	if err := s.begin(ctx, queues, whole); err != nil {
		closeConn(ctx, conn)
		return nil, database.Error("take a snapshot", err)
	}
	return s, nil
}

func (s *snapshot) begin(ctx context.Context, queues []string, whole bool) error {
	names, err := s.names(ctx, queues)
	if err != nil {
		return err
	}
	if len(names) == 0 && !whole {
		return errs.New(errs.NotFound, "there is no queue to back up")
	}
	if _, err := s.conn.Exec(ctx, begin); err != nil {
		return err
	}
	// The locks come first: a truncate that was over before the snapshot would else be read as an empty table by it. LOCK itself takes none.
	if _, err := s.conn.Exec(ctx, `set local lock_timeout = '10s'`); err != nil {
		return err
	}
	for _, name := range names {
		q := quoted("q_" + name)
		if _, err := s.conn.Exec(ctx, fmt.Sprintf(`lock table %[1]s.docs, %[1]s.deltas, %[1]s.logs, %[1]s.measures, %[1]s.error_deltas in access share mode`, q)); err != nil {
			return err
		}
	}
	err = s.conn.QueryRow(ctx, `select pg_export_snapshot(), clock_timestamp(), current_setting('server_version')`).Scan(&s.id, &s.at, &s.postgres)
	if err != nil {
		return err
	}
	for i, name := range names {
		q, sources, err := s.describe(ctx, i, name)
		if err != nil {
			return err
		}
		s.queues = append(s.queues, q)
		s.sources = append(s.sources, sources...)
	}
	if whole {
		return s.describeInstallation(ctx)
	}
	return nil
}

// names returns the queues that are wanted, in the order of their names, and refuses those that are not there.
func (s *snapshot) names(ctx context.Context, queues []string) ([]string, error) {
	rows, err := s.conn.Query(ctx, `select name from fetchq.queues where cardinality($1::text[]) = 0 or name = any ($1) order by name`, nonNil(queues))
	if err != nil {
		return nil, err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	there := map[string]bool{}
	for _, n := range names {
		there[n] = true
	}
	for _, q := range queues {
		if !there[q] {
			return nil, &errs.Error{Code: errs.NotFound, Field: "queue", Message: fmt.Sprintf("there is no queue %.40q", q)}
		}
	}
	return names, nil
}

func nonNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// quoted is an identifier in SQL.
func quoted(names ...string) string { return pgx.Identifier(names).Sanitize() }

// first are the columns of documents that no restore puts back as they were; they stand first, where they are easily left out.
var first = []string{"lease", "ended"}

// describe reads what a manifest says of a queue, and which texts are to be read.
func (s *snapshot) describe(ctx context.Context, index int, name string) (Queue, []reading, error) {
	q := Queue{Name: name}
	var leaves []string
	var series int
	var counters []byte
	schema := quoted("q_" + name)
	err := s.conn.QueryRow(ctx, `
		select q.created_at, fetchq.queue_settings(q), q.version_pauses, fetchq.leaves(q), coalesce(n.id, 0),
			(select coalesce(jsonb_agg(c), '[]') from fetchq.queue_counters(q.name) c),
			(select last_value from `+schema+`.seq), (select last_value from `+schema+`.logs_id_seq)
		from fetchq.queues q left join fetchq.series_queues n on n.queue = q.name where q.name = $1`, name).Scan(
		&q.CreatedAt, &q.Settings, &q.VersionPauses, &leaves, &series, &counters, &q.Seq, &q.LogSeq)
	if err != nil {
		return q, nil, err
	}
	if err := json.Unmarshal(counters, &q.Counters); err != nil {
		return q, nil, err
	}
	var sources []reading
	add := func(table string, columns []string, texts ...reading) {
		q.Tables = append(q.Tables, Table{Name: table, Columns: columns})
		for _, t := range texts {
			t.queue = index
			sources = append(sources, t)
		}
	}
	docs, err := s.columns(ctx, "q_"+name, "docs")
	if err != nil {
		return q, nil, err
	}
	docs = append(append([]string{}, first...), without(docs, first)...)
	var texts []reading
	for _, leaf := range leaves {
		texts = append(texts, reading{table: leaf, query: plain("q_"+name, leaf, docs)})
	}
	add("docs", docs, texts...)
	// The journal is read by its parent: a table that is closed meanwhile has another name, and the same rows.
	for _, table := range []string{"logs", "journal", "measures", "error_deltas"} {
		columns, err := s.columns(ctx, "q_"+name, table)
		if err != nil {
			return q, nil, err
		}
		add(table, columns, reading{table: table, query: plain("q_"+name, table, columns)})
	}
	for _, t := range shared(name, series) {
		add(t.table, t.columns, reading{table: t.table, query: t.query})
	}
	return q, sources, nil
}

func plain(schema, table string, columns []string) string {
	return "select " + strings.Join(columns, ", ") + " from " + quoted(schema, table)
}

type sharedTable struct {
	table   string
	columns []string
	query   string
}

// shared are the texts of what stands in the schema fetchq about a queue. Timings of leases that are not folded yet are put together as the
// fold does it. The name of the queue is one that the register has, and stands for itself in quotes.
func shared(name string, series int) []sharedTable {
	columns := func(text string) []string { return strings.Split(text, ", ") }
	const (
		metrics = "name, id, type, value, count, histogram, updated_at"
		folded  = "name, type, at, count, sum, low, high, last, buckets, counts"
		marks   = "at, text, created_by"
		groups  = "fingerprint, first_seen, last_seen, errors, versions, documents, pattern, sample"
		counts  = "fingerprint, step, slot, errors"
	)
	list := []sharedTable{
		{"metrics", columns(metrics), "select " + metrics + " from fetchq.metrics where queue = '" + name + "' order by name"},
		{"folded", columns(folded), `select ` + folded + ` from fetchq.measures where queue = '` + name + `'
			union all
			select name, 3::smallint, now(), sum(n)::bigint, sum(sum), min(low), max(high), 0, array_agg(bucket order by bucket), array_agg(n order by bucket)
			from (
				select name, fetchq.timing_bucket(ms) as bucket, count(*) as n, sum(ms) as sum, min(ms) as low, max(ms) as high
				from (
					select 'wait' as name, unnest(waits)::float8 as ms from ` + quoted("q_"+name) + `.deltas
					union all select 'work', unnest(works) from ` + quoted("q_"+name) + `.deltas
				) t group by 1, 2
			) b group by name`},
		{"marks", columns(marks), "select " + marks + " from fetchq.marks where queue = '" + name + "' order by id"},
		{"error_groups", columns(groups), "select " + groups + " from fetchq.error_groups where queue = '" + name + "' order by fingerprint"},
		{"error_counts", columns(counts), "select " + counts + " from fetchq.error_counts where queue = '" + name + "' order by step, slot, fingerprint"},
	}
	for _, step := range steps {
		list = append(list, sharedTable{"series_" + step, columns("slot, data"),
			fmt.Sprintf("select slot, data from fetchq.series_%s where queue = %d order by slot", step, series)})
	}
	return list
}

// steps are those of fetchq.series_steps.
var steps = []string{"10", "60", "600", "3600"}

// begin begins a transaction that sees one moment.
const begin = `begin transaction read only, isolation level repeatable read`

// columns lists the columns of a table.
func (s *snapshot) columns(ctx context.Context, schema, table string) ([]string, error) {
	return columnsOf(ctx, s.conn, schema, table)
}

func columnsOf(ctx context.Context, conn *pgx.Conn, schema, table string) ([]string, error) {
	rows, err := conn.Query(ctx, `select attname::text from pg_attribute where attrelid = to_regclass(format('%I.%I', $1::text, $2::text))
		and attnum > 0 and not attisdropped order by attnum`, schema, table)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func without(list, gone []string) (rest []string) {
	for _, one := range list {
		found := false
		for _, g := range gone {
			found = found || g == one
		}
		if !found {
			rest = append(rest, one)
		}
	}
	return rest
}

// script is the text by which psql makes a queue's tables and reads the members into them, in a database without Fetchq: plain tables, with
// the names, columns and indexes that they had. fetchq.queue_attach can take them in. whole: its documents are one text, not one for each partition.
func (s *snapshot) script(ctx context.Context, q Queue, whole bool) (string, error) {
	schema := quoted("q_" + q.Name)
	var b strings.Builder
	fmt.Fprintf(&b, "-- Run in the folder that the archive was unpacked into: psql -f q_%s/load.sql\n", q.Name)
	fmt.Fprintf(&b, "set client_encoding = 'UTF8';\nset datestyle = 'ISO, MDY';\ncreate schema %s;\n", schema)
	fmt.Fprintf(&b, "create sequence %s.seq as bigint increment by 10000 minvalue 0 start with %d;\n", schema, max(q.Seq, 0))
	for _, table := range []string{"docs", "logs", "journal", "deltas", "measures", "requests"} {
		var text string
		err := s.conn.QueryRow(ctx, `
			select string_agg(format('    %I %s%s%s%s', attname, format_type(atttypid, atttypmod), case when c.collname = 'C' then ' collate "C"' else '' end,
				case when attnotnull then ' not null' else '' end, coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')), e',\n' order by attnum)
			from pg_attribute a left join pg_collation c on c.oid = a.attcollation left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
			where attrelid = format('%I.%I', $1::text, $2::text)::regclass and attnum > 0 and not attisdropped`, "q_"+q.Name, table).Scan(&text)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "create table %s.%s (\n%s\n);\n", schema, table, text)
	}
	fmt.Fprintf(&b, "create table %[1]s.journal_0 () inherits (%[1]s.journal);\n", schema)
	for _, t := range q.Tables {
		into, files := t.Name, t.Name+".*.copy"
		switch t.Name {
		case "docs":
			if !whole {
				files = "docs_p*.copy"
			}
		case "journal":
			into = "journal_0"
		case "logs", "measures":
		default:
			continue // about the queue, and not in its schema
		}
		if t.Rows > 0 {
			fmt.Fprintf(&b, "\\copy %s.%s (%s) from program 'cat q_%s/%s'\n", schema, into, strings.Join(t.Columns, ", "), q.Name, files)
		}
	}
	rows, err := s.conn.Query(ctx, `
		select pg_get_indexdef(indexrelid) from pg_index i join pg_class c on c.oid = indrelid
		where indrelid = any (array[format('%I.docs', $1::text), format('%I.logs', $1::text), format('%I.requests', $1::text), format('%I.journal_0', $1::text)]::regclass[])
		order by c.relname, indexrelid`, "q_"+q.Name)
	if err != nil {
		return "", err
	}
	indexes, err := pgx.CollectRows(rows, pgx.RowTo[string])
	for _, def := range indexes {
		b.WriteString(strings.Replace(def, " ON ONLY ", " ON ", 1) + ";\n")
	}
	fmt.Fprintf(&b, "alter table %[1]s.docs add primary key using index docs_pkey;\nalter table %[1]s.logs add primary key using index logs_pkey;\n", schema)
	fmt.Fprintf(&b, "alter table %[1]s.requests add primary key using index requests_pkey;\n", schema)
	fmt.Fprintf(&b, "alter table %s.logs alter column id add generated always as identity (start with %d);\nanalyze;\n", schema, q.LogSeq+1)
	return b.String(), err
}
