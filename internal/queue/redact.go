package queue

import (
	"bytes"
	"context"
	"encoding/json"
	"regexp"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/errs"
)

// Limits of the paths that a queue hides.
const (
	MaxRedact      = 32  // paths of a queue
	MaxRedactPath  = 255 // bytes of one
	MaxRedactSteps = 16
)

// Redacted stands in place of what is hidden.
const Redacted = `"[redacted]"`

// redactStep is one step of a path: a member of objects, or all elements of lists.
type redactStep struct {
	name string
	each bool
}

// Redaction is what a queue hides of its payloads and of the details of its log lines. The zero value hides nothing.
type Redaction [][]redactStep

var (
	redactPath  = regexp.MustCompile(`^\$(\.[A-Za-z0-9_-]+|\["[^"\\[:cntrl:]]+"\]|\[\*\])*$`)
	redactSteps = regexp.MustCompile(`\.([A-Za-z0-9_-]+)|\["([^"\\[:cntrl:]]+)"\]|\[\*\]`)
)

// CheckRedact refuses paths outside of their limits: $ is the whole, .name or ["any name"] a member, [*] all elements of a list. Errors: Invalid.
func CheckRedact(paths []string) error {
	if len(paths) > MaxRedact {
		return errs.Field("redact", "%d paths are given; %d are allowed", len(paths), MaxRedact)
	}
	for _, p := range paths {
		if len(p) > MaxRedactPath || !redactPath.MatchString(p) || len(redactSteps.FindAllString(p, -1)) > MaxRedactSteps {
			return errs.Field("redact", `%.60q is no path such as $.user.email, $.items[*].card or $["a name"], of up to %d steps and %d bytes`, p, MaxRedactSteps, MaxRedactPath)
		}
	}
	return nil
}

// NewRedaction reads the paths of a queue. One that cannot be read hides the whole: what is written there is checked, so that this is for
// the case that somebody wrote past the check.
func NewRedaction(paths []string) Redaction {
	r := Redaction{}
	for _, p := range paths {
		if CheckRedact([]string{p}) != nil {
			return hideAll
		}
		steps := []redactStep{}
		for _, m := range redactSteps.FindAllStringSubmatch(p, -1) {
			steps = append(steps, redactStep{name: m[1] + m[2], each: m[1]+m[2] == ""})
		}
		r = append(r, steps)
	}
	return r
}

var hideAll = Redaction{{}}

// Apply returns JSON with what is hidden replaced; the same text where nothing of it is. JSON that cannot be read is hidden whole.
func (r Redaction) Apply(text []byte) []byte {
	if len(r) == 0 || len(text) == 0 {
		return text
	}
	var out bytes.Buffer
	switch hid, err := r.write(&out, text); {
	case err != nil:
		return []byte(Redacted)
	case !hid:
		return text
	}
	return out.Bytes()
}

// Touches says whether JSON reaches a place that is hidden: a filter that does would tell what stands there.
func (r Redaction) Touches(text []byte) bool {
	return len(r) > 0 && len(text) > 0 && !bytes.Equal(r.Apply(text), text)
}

// write writes JSON without what is hidden, and says whether any of it is.
func (r Redaction) write(out *bytes.Buffer, text []byte) (hid bool, err error) {
	text = bytes.TrimSpace(text)
	for _, path := range r {
		if len(path) == 0 {
			out.WriteString(Redacted)
			return true, nil
		}
	}
	if len(r) == 0 || len(text) == 0 || text[0] != '{' && text[0] != '[' {
		out.Write(text)
		return false, nil
	}
	in := json.NewDecoder(bytes.NewReader(text))
	open, err := in.Token()
	if err != nil {
		return false, err
	}
	out.WriteByte(text[0])
	for n := 0; in.More(); n++ {
		if n > 0 {
			out.WriteString(", ")
		}
		name := ""
		if open == json.Delim('{') {
			key, err := in.Token()
			if err != nil {
				return false, err
			}
			name = key.(string) //nolint:forcetypeassert // a key of an object is one
			written, err := plainJSON(name)
			if err != nil {
				return false, err
			}
			out.Write(written)
			out.WriteString(": ")
		}
		var value json.RawMessage
		if err := in.Decode(&value); err != nil {
			return false, err
		}
		var below Redaction
		for _, path := range r {
			if path[0].each == (open == json.Delim('[')) && path[0].name == name {
				below = append(below, path[1:])
			}
		}
		under, err := below.write(out, value)
		if err != nil {
			return false, err
		}
		hid = hid || under
	}
	if _, err := in.Token(); err != nil {
		return false, err
	}
	out.WriteByte(text[0] + 2) // } is two behind {, and ] behind [
	return hid, nil
}

// plainJSON writes a text as Postgres does: letters that mean something in HTML are no others.
func plainJSON(text string) ([]byte, error) {
	var b bytes.Buffer
	w := json.NewEncoder(&b)
	w.SetEscapeHTML(false)
	err := w.Encode(text)
	return bytes.TrimRight(b.Bytes(), "\n"), err
}

// veilKey is the key of a context's value that says what its calls do not see of payloads.
type veilKey struct{}

type veil struct{ viewer bool }

// Veil returns a context whose calls do not see what queues hide; those of a viewer see nothing of payloads where a queue shows them to no viewer.
func Veil(ctx context.Context, viewer bool) context.Context {
	return context.WithValue(ctx, veilKey{}, veil{viewer})
}

// Hides is what a queue of these settings hides from the calls of a context.
func Hides(ctx context.Context, s Settings) Redaction { return hides(ctx, s.Redact, s.ViewerPayloads) }

func hides(ctx context.Context, paths []string, viewers string) Redaction {
	v, veiled := ctx.Value(veilKey{}).(veil)
	switch {
	case !veiled:
		return nil
	case v.viewer && viewers != PayloadsShown:
		return hideAll
	}
	return NewRedaction(paths)
}

// redactions returns what each of some queues (nil: all) hides from the calls of a context; one that is not there hides nothing.
func (e *Engine) redactions(ctx context.Context, queues []string) (map[string]Redaction, error) {
	if _, veiled := ctx.Value(veilKey{}).(veil); !veiled {
		return nil, nil //nolint:nilnil // nothing is hidden
	}
	all := map[string]Redaction{}
	_, err := query(ctx, e, "read what queues hide", func(row pgx.CollectableRow) (name string, err error) {
		var paths []string
		var viewers string
		err = row.Scan(&name, &paths, &viewers)
		all[name] = hides(ctx, paths, viewers)
		return name, err
	}, `select name, redact, viewer_payloads from fetchq.queues where ($1::text[] is null or name = any ($1)) and (redact is not null or viewer_payloads <> 'shown')`, queues)
	return all, err
}

// Redaction returns what a queue hides from the calls of a context.
func (e *Engine) Redaction(ctx context.Context, queue string) (Redaction, error) {
	all, err := e.redactions(ctx, []string{queue})
	return all[queue], err
}

// MayFilter refuses a filter by what payloads contain that would tell what a queue hides. Errors: Invalid.
func (e *Engine) MayFilter(ctx context.Context, queue, field string, contained []byte) error {
	if contained == nil {
		return nil
	}
	r, err := e.Redaction(ctx, queue)
	if err == nil && r.Touches(contained) {
		err = errs.Field(field, "looks into parts of payloads that are hidden from your role")
	}
	return err
}

// redactDocs hides what queues hide of some documents.
func (e *Engine) redactDocs(ctx context.Context, queues []string, docs []Document) error {
	all, err := e.redactions(ctx, queues)
	if err != nil {
		return err
	}
	for i := range docs {
		d := &docs[i]
		if r := all[d.Queue]; len(r) > 0 {
			d.Payload, d.Veiled = r.Apply(d.Payload), true
		}
	}
	return nil
}

// redactLogs hides what queues hide of the details of some lines; those without a queue are of the one that is named.
func (e *Engine) redactLogs(ctx context.Context, queue string, logs []Log) error {
	var queues []string
	if queue != "" {
		queues = []string{queue}
	}
	all, err := e.redactions(ctx, queues)
	if err != nil {
		return err
	}
	for i := range logs {
		name := logs[i].Queue
		if name == "" {
			name = queue
		}
		logs[i].Details = all[name].Apply(logs[i].Details)
	}
	return nil
}

// mayEdit refuses new payloads from who does not see the old ones whole: what is hidden in them would be lost. Errors: Invalid.
func (e *Engine) mayEdit(ctx context.Context, queue string, items []owned[Resolution]) error {
	for _, item := range items {
		if item.item.Payload == nil {
			continue
		}
		if r, err := e.Redaction(ctx, queue); err != nil || len(r) == 0 {
			return err
		}
		return errs.Field("payload", "parts of it are hidden from your role, and would be lost")
	}
	return nil
}

// MayCarry refuses to bring documents from a queue to one that hides less of their payloads: whoever does not see them whole would see them
// there. Errors: Invalid.
func (e *Engine) MayCarry(ctx context.Context, from, to, field string) error {
	all, err := e.redactions(ctx, []string{from, to})
	if err == nil && !all[to].covers(all[from]) {
		err = errs.Field(field, "%s shows your role more of payloads than %s does; ask an admin to bring them there", to, from)
	}
	return err
}

// covers says whether all that o hides is hidden by r too.
func (r Redaction) covers(o Redaction) bool {
	return !slices.ContainsFunc(o, func(path []redactStep) bool {
		return !slices.ContainsFunc(r, func(mine []redactStep) bool { return len(mine) <= len(path) && slices.Equal(mine, path[:len(mine)]) })
	})
}

// What viewers see of the payloads of a queue.
const (
	PayloadsShown  = "shown"
	PayloadsHidden = "hidden"
)
