package templates

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"
)

// Limits of a tree on a page.
const (
	treeNodes = 1_000
	treeBytes = 32 << 10
	treeText  = 4 << 10 // of one string or number
	treeDepth = 64      // what the API accepts; SQL may have stored more
	treeScan  = 4 << 20 // bytes of text that are read to count what is left out
)

// treeNode is a value within JSON.
type treeNode struct {
	key   string // as JSON; "" in an array and at the top
	kind  string // object, array, text, digits or word
	text  string // of a scalar, as JSON
	cut   int    // how many bytes of it are left out
	count int    // of members or elements, those that are not shown too
	nodes []*treeNode
}

// innerTree is an open container while a tree grows.
type innerTree struct {
	node *treeNode
	key  string // of the member whose value comes next
	wait bool   // for a value, in an object
}

// jsonTree is JSON as a tree of bounded size.
type jsonTree struct {
	root   *treeNode
	hidden int  // values that are left out
	more   bool // and others, which were not counted
}

// growTree reads JSON text from its beginning and takes it over as it stands, numbers with all their digits and members in
// their order, until nodes values or size bytes of text are shown; what follows is counted. Not ok: it is not JSON.
func growTree(raw []byte, nodes, size int) (t jsonTree, ok bool) {
	from := json.NewDecoder(bytes.NewReader(raw))
	from.UseNumber()
	var open []*innerTree
	for {
		token, err := from.Token()
		switch {
		case errors.Is(err, io.EOF):
			return t, t.root != nil && len(open) == 0
		case err != nil:
			return t, false
		case from.InputOffset() > treeScan:
			t.more = true
			return t, true
		}
		var top *innerTree
		if len(open) > 0 {
			top = open[len(open)-1]
		}
		if token == json.Delim('}') || token == json.Delim(']') {
			open = open[:len(open)-1]
			continue
		}
		if key, isText := token.(string); isText && top != nil && top.node.kind == "object" && !top.wait {
			top.key, top.wait = key, true
			continue
		}
		node := newNode(token)
		spent := len(node.text)
		if top == nil {
			t.root = node
		} else {
			top.wait = false
			top.node.count++
			if top.node.kind == "object" {
				node.key, _ = clip(quoted(top.key), treeText)
				spent += len(node.key)
			}
			if nodes <= 0 || size <= 0 || len(open) >= treeDepth {
				t.hidden++
			} else {
				top.node.nodes = append(top.node.nodes, node)
			}
		}
		nodes--
		size -= spent
		if node.kind == "object" || node.kind == "array" {
			open = append(open, &innerTree{node: node})
		}
	}
}

func newNode(token json.Token) *treeNode {
	n := &treeNode{kind: "word", text: "null"}
	switch v := token.(type) {
	case json.Delim:
		n.kind, n.text = "array", ""
		if v == '{' {
			n.kind = "object"
		}
	case string:
		n.kind = "text"
		n.text, n.cut = clip(quoted(v), treeText)
	case json.Number:
		n.kind = "digits"
		n.text, n.cut = clip(v.String(), treeText)
	case bool:
		n.text = "false"
		if v {
			n.text = "true"
		}
	}
	return n
}

// quoted writes a string as JSON, without escapes that only HTML needs.
func quoted(text string) string {
	var b bytes.Buffer
	to := json.NewEncoder(&b)
	to.SetEscapeHTML(false)
	_ = to.Encode(text) // a string can always be written
	return string(bytes.TrimRight(b.Bytes(), "\n"))
}

// clip cuts a text to at most so many bytes, at the end of a letter, and says how many are left out.
func clip(text string, most int) (string, int) {
	if len(text) <= most {
		return text, 0
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most], len(text) - most
}

// before is what stands before the last 24 characters of a subject that is longer than 32, and else all of it: where there is no room
// for all, it is cut there, for subjects that follow each other mostly differ at their ends.
func before(subject string) string {
	if utf8.RuneCountInString(subject) <= 32 {
		return subject
	}
	end := len(subject)
	for range 24 {
		_, size := utf8.DecodeLastRuneInString(subject[:end])
		end -= size
	}
	return subject[:end]
}

// Pretty writes JSON with indents, or, where that would be longer than most bytes, as it stands.
func Pretty(raw []byte, most int) string {
	var b bytes.Buffer
	if len(raw) > most || json.Indent(&b, raw, "", "  ") != nil || b.Len() > most {
		return string(raw)
	}
	return b.String()
}
