package backup

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/fetchq/server/internal/errs"
)

// FuzzManifest gives the parser what a destination could hold. What it takes leads nowhere but to objects and members of the backup, has no
// size that is none, and says the same when it is written and read again.
func FuzzManifest(f *testing.F) {
	sum := strings.Repeat("0", 64)
	f.Add([]byte(`{"format":1,"name":"20261130T120000Z-0123456789abcdef0123456789abcdef"}`))
	f.Add([]byte(`{"format":99}`))
	f.Add([]byte(`{"format":1,"name":"../../etc/passwd"}`))
	f.Add([]byte(`{"format":1,"name":"x","members":[{"name":"../x","bytes":-1,"rows":1e99,"sha256":"` + sum + `","volume":0}]}`))
	f.Add([]byte(strings.Repeat(`{"queues":[`, 500)))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := parseManifest(text)
		if err != nil {
			if code := errs.Of(err); code != errs.Invalid && code != errs.Unsupported {
				t.Fatalf("%.200q: %v", text, err)
			}
			return
		}
		for _, v := range m.Volumes {
			if strings.ContainsAny(v.Object, "/\\\x00") || strings.HasPrefix(v.Object, ".") {
				t.Fatalf("the volume %q leads elsewhere", v.Object)
			}
		}
		for _, member := range m.Members {
			if strings.Contains(member.Name, "..") || strings.HasPrefix(member.Name, "/") || strings.ContainsAny(member.Name, "\\\x00'\"") {
				t.Fatalf("the member %q leads elsewhere", member.Name)
			}
		}
		if m.Rows() < 0 || m.Bytes() < 0 || m.Stored() < 0 {
			t.Fatalf("it has %d rows, %d bytes, %d stored", m.Rows(), m.Bytes(), m.Stored())
		}
		again, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseManifest(again); err != nil {
			t.Fatalf("what was read from %.300q is refused when it is written again: %v", text, err)
		}
	})
}
