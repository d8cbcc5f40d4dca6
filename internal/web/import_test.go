package web_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/fetchq/server/internal/auth"
)

// upload sends a file by the form of imports, whose fields stand before it.
func (d *desk) upload(name, text string, fields ...string) reply {
	d.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for i := 0; i+1 < len(fields); i += 2 {
		if err := w.WriteField(fields[i], fields[i+1]); err != nil {
			d.t.Fatal(err)
		}
	}
	part, err := w.CreateFormFile("file", name)
	if err == nil {
		_, err = part.Write([]byte(text))
	}
	if err != nil {
		d.t.Fatal(err)
	}
	w.Close()
	return d.send(http.MethodPost, "/queues/pages/import", w.FormDataContentType(), &body)
}

func TestAFileIsImported(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleOperator)
	dialog := d.get("/queues/pages/import", http.StatusOK)
	dialog.count(t, `form.form[enctype="multipart/form-data"] input[type=file]`, 1)
	if fields := dialog.Find("form.form [name]"); fields.Last().AttrOr("name", "") != "file" {
		t.Error("the file does not come last: what stands behind it would be read too late")
	}
	d.get(docsURL, http.StatusOK).count(t, `a[href="/queues/pages/import"]`, 1)
	d.work()
	page := d.over(d.upload("list.NDJSON", "{\"subject\":\"a\"}\n{\"subject\":\n{\"subject\":\"b\",\"priority\":3}\n", "format", "", "on_conflict", "ignore"))
	page.says(t, ".head h1", "Import")
	page.says(t, ".head .status", "done in part")
	page.says(t, `[data-tile="Created"] dd`, "2")
	page.says(t, `[data-tile="Failed"] dd`, "1")
	page.says(t, "tr[data-failure] td.number", "2")
	page.says(t, "tr[data-failure]", "not JSON")
	page = d.over(d.upload("list.csv", "subject,priority\na,5\nb,6\n", "format", "", "on_conflict", "update"))
	page.says(t, "section[aria-labelledby=asked]", "CSV")
	page.says(t, `[data-tile="Done"] dd`, "2")
	page.says(t, `[data-tile="Created"] dd`, "0")
	if doc := d.doc("b"); doc.Priority != 6 {
		t.Errorf("%+v", doc)
	}
	for name, a := range map[string]reply{
		"no file":           d.postParts("/queues/pages/import", url.Values{"format": {"csv"}}, 0),
		"no form":           d.post("/queues/pages/import", url.Values{}, 0),
		"an empty name":     d.upload("", "{}\n"),
		"a wrong column":    d.upload("x.csv", "colour\nx\n"),
		"an unknown format": d.upload("x", "{}\n", "format", "xml"),
		"an unknown policy": d.upload("x", "{}\n", "on_conflict", "replace"),
		"too much":          d.upload("x", strings.Repeat(`{"payload":"`+strings.Repeat("p", 1000)+"\"}\n", 5000)),
	} {
		if a.code != http.StatusUnprocessableEntity || a.text("form.form [role=alert]") == "" {
			t.Errorf("%s: %d %q", name, a.code, a.text("form.form [role=alert]"))
		}
	}
	if a := d.send(http.MethodPost, "/queues/missing/import", "text/plain", strings.NewReader("x")); a.code != http.StatusNotFound {
		t.Errorf("%d", a.code)
	}
}

func TestAnImportIsPreviewed(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleOperator)
	d.get("/queues/pages/import", http.StatusOK).count(t, `form.form [data-preview="/queues/pages/import/preview"]`, 1)
	ask := func(query, text string) reply {
		t.Helper()
		return d.send(http.MethodPost, "/queues/pages/import/preview?"+query, "application/octet-stream", strings.NewReader(text)).want(t, http.StatusOK, "POST the preview of "+query)
	}
	page := ask("name=a.csv&size=40", "subject,priority,payload.n:json\n<b>,5,1\nc,high,\n")
	page.says(t, "p", "Of the first 2 documents 1 cannot be imported:")
	page.says(t, `tr[data-line="2"] .subject`, "<b>")
	page.says(t, `tr[data-line="2"] .preview`, `{"n":1}`)
	page.says(t, `tr[data-line="3"]`, "priority must be a whole number")
	ask("name=a.csv&size=10", "colour\nred\n").says(t, ".notice", `names the column "colour"`)
	ask("name=a&format=ndjson&size=0", "").says(t, "p", "no document")
	d.get(docsURL, http.StatusOK).count(t, `[data-empty="queue"]`, 1) // nothing was stored
}
