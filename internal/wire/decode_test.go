package wire_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fetchq/server/client"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/wire"
)

// body has a member of each kind that Decode reads.
type body struct {
	Text    string                     `json:"text"`
	Number  int                        `json:"number,omitempty"`
	Small   int16                      `json:"small"`
	Share   float64                    `json:"share"`
	Flag    *bool                      `json:"flag"`
	Raw     json.RawMessage            `json:"raw"`
	Items   []item                     `json:"items"`
	Only    []string                   `json:"only"`
	Any     map[string]json.RawMessage `json:"any"`
	Inner   item                       `json:"inner"`
	private string                     //nolint:unused // no member: it is not exported
}

type item struct {
	Name  string `json:"name"`
	Limit *int   `json:"limit"`
}

func TestDecodeReadsEachKind(t *testing.T) {
	var got body
	err := wire.Decode([]byte(` {"text":"a\u00e9\ud83d\ude00\n","number":-5,"small":32767,"share":0.25,"flag":true,"raw": {"a": [1, "\ud800"]} ,
		"items":[{"name":"x","limit":3},{}, null],"only":[],"any":{"a":null,"b":[1]},"inner":{"name":"y","limit":null}} `), &got)
	if err != nil {
		t.Fatal(err)
	}
	yes, three := true, 3
	want := body{
		Text: "aé😀\n", Number: -5, Small: 32767, Share: 0.25, Flag: &yes, Raw: json.RawMessage(`{"a": [1, "\ud800"]}`),
		Items: []item{{"x", &three}, {}, {}}, Only: []string{}, Any: map[string]json.RawMessage{"a": json.RawMessage("null"), "b": json.RawMessage("[1]")},
		Inner: item{Name: "y"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(body{})); diff != "" {
		t.Error(diff)
	}
}

func TestDecodeTakesNullAsNotGivenExceptWhereRaw(t *testing.T) {
	var got body
	if err := wire.Decode([]byte(`{"text":null,"number":null,"flag":null,"raw":null,"items":null,"any":null,"inner":null}`), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(body{Raw: json.RawMessage("null")}, got, cmp.AllowUnexported(body{})); diff != "" {
		t.Error(diff)
	}
}

func TestDecodeRefusalsNameTheirField(t *testing.T) {
	deep := strings.Repeat("[", 2000) + strings.Repeat("]", 2000)
	for _, c := range []struct {
		in    string
		code  errs.Code
		field string
	}{
		{"", errs.Malformed, ""},
		{"{", errs.Malformed, ""},
		{`{"text":"a"} x`, errs.Malformed, ""},
		{`{"text":"a"}{}`, errs.Malformed, ""},
		{"\"\xff\"", errs.Malformed, ""},
		{`[]`, errs.Malformed, ""},
		{`"a"`, errs.Malformed, ""},
		{`{"text":1}`, errs.Malformed, "text"},
		{`{"text":{}}`, errs.Malformed, "text"},
		{`{"number":"1"}`, errs.Malformed, "number"},
		{`{"number":1.0}`, errs.Malformed, "number"},
		{`{"number":1e3}`, errs.Malformed, "number"},
		{`{"number":9223372036854775808}`, errs.Invalid, "number"},
		{`{"small":32768}`, errs.Invalid, "small"},
		{`{"share":1e999}`, errs.Invalid, "share"},
		{`{"share":true}`, errs.Malformed, "share"},
		{`{"flag":"true"}`, errs.Malformed, "flag"},
		{`{"items":{}}`, errs.Malformed, "items"},
		{`{"items":[1]}`, errs.Malformed, "items[0]"},
		{`{"items":[{},{"limit":"x"}]}`, errs.Malformed, "items[1].limit"},
		{`{"items":[{},{"nmae":"x"}]}`, errs.Invalid, "items[1].nmae"},
		{`{"only":["a",2]}`, errs.Malformed, "only[1]"},
		{`{"any":{"a":1,"a":2}}`, errs.Invalid, "any.a"},
		{`{"inner":{"x":{"y":1}}}`, errs.Invalid, "inner.x"},
		{`{"Text":"a"}`, errs.Invalid, "Text"},
		{`{"private":"a"}`, errs.Invalid, "private"},
		{`{"text":"a","text":"b"}`, errs.Invalid, "text"},
		{`{"text":"\u0000"}`, errs.Invalid, "text"},
		{`{"only":["\ud800"]}`, errs.Invalid, "only[0]"},
		{`{"\u0000":1}`, errs.Invalid, ""},
		{`{"` + strings.Repeat("é", 1000) + `":1}`, errs.Invalid, strings.Repeat("é", 32) + "…"},
		{`{"raw":` + deep + `}`, errs.Invalid, ""},
		{`{"items":[` + strings.Repeat("{},", 1000) + `{}]}`, errs.Invalid, "items"},
		{`{"only":[` + strings.Repeat("null,", 1000) + `null]}`, errs.Invalid, "only"},
	} {
		var v body
		err := wire.Decode([]byte(c.in), &v)
		var e *errs.Error
		if !errors.As(err, &e) || e.Code != c.code || e.Field != c.field {
			t.Errorf("Decode(%.60q) = %v; want %s of %q", c.in, err, c.code, c.field)
		}
	}
}

func TestDecodeTakesAThousandItems(t *testing.T) {
	var got body
	if err := wire.Decode([]byte(`{"items":[`+strings.Repeat("{},", 999)+`{}]}`), &got); err != nil || len(got.Items) != 1000 {
		t.Errorf("%d items: %v", len(got.Items), err)
	}
	var members strings.Builder
	for i := range 1001 {
		fmt.Fprintf(&members, `,"m%d":1`, i)
	}
	err := wire.Decode([]byte(`{"any":{`+members.String()[1:]+`}}`), &got)
	if !errors.Is(err, wire.ErrTooMany) || !strings.Contains(err.Error(), "more than 1000 members") {
		t.Error(err)
	}
}

// TestALongListTakesNoMemory sends 5.6 million elements, which took 200 times the memory of their text.
func TestALongListTakesNoMemory(t *testing.T) {
	text := []byte(`{"documents":[` + strings.Repeat("{},", 5_592_400) + `{}]}`)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := wire.Decode(text, &client.PushRequest{})
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 2<<20 {
		t.Errorf("%d MiB of text took %d MiB", len(text)>>20, took>>20)
	}
	if !errors.Is(err, wire.ErrTooMany) {
		t.Error(err)
	}
}

func TestDecodeNeverRepeatsAValue(t *testing.T) {
	for _, in := range []string{`{"number":"hunter2"}`, `{"raw":"hunter2`, `{"text":["hunter2"]}`, `{"flag":"hunter2"}`, `"hunter2"`} {
		if err := wire.Decode([]byte(in), &body{}); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Decode(%q) = %v", in, err)
		}
	}
}

func TestDecodeWithoutATargetIsAnInternalError(t *testing.T) {
	for _, v := range []any{nil, body{}, (*body)(nil)} {
		if err := wire.Decode([]byte("{}"), v); errs.Of(err) != errs.Internal {
			t.Errorf("Decode into %T: %v", v, err)
		}
	}
}

// FuzzDecode holds Decode against encoding/json on the bodies of the API: what it accepts, encoding/json reads the same.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"documents":[{"subject":"a","payload":{"x":[1,"\ud800"]},"version":0,"priority":-5,"next_iteration":"+2 days"}],"on_conflict":"ignore"}`,
		`{"documents":[{"Subject":"a"}]}`, `{"documents":null}`, `{"documents":[{"subject":"\u0000"}]}`, `{"documents":[{"version":1e3}]} `,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var got, want client.PushRequest
		if err := wire.Decode(b, &got); err != nil {
			if code := errs.Of(err); code != errs.Malformed && code != errs.Invalid {
				t.Fatalf("Decode(%q) = %v", b, err)
			}
			return
		}
		if err := json.Unmarshal(b, &want); err != nil || !reflect.DeepEqual(want, got) {
			t.Fatalf("Decode(%q) = %+v; encoding/json: %+v, %v", b, got, want, err)
		}
	})
}
