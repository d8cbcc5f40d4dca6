package api

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// bodyType is a type of a body, or of a part of one, as the page of the calls shows it.
type bodyType struct {
	Name   string
	Fields []bodyField
}

type bodyField struct {
	Name, Description string
	Kind              string // as in "list of Push"
	Of                string // the type that Kind names; "": none that is shown
	Limits            string // as in "1 to 255 bytes"
	Required          bool
}

// typeName is the name of a type that a schema refers to; "" where it refers to none.
func typeName(s *huma.Schema) string {
	return s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
}

// inner is the type of a field or of its items.
func inner(s *huma.Schema) string {
	if s.Items != nil {
		return typeName(s.Items)
	}
	return typeName(s)
}

// bodyTypes are the types of all bodies and answers, each followed by those that it holds.
func (s *Server) bodyTypes() []bodyType {
	types := s.huma.OpenAPI().Components.Schemas.Map()
	var all []bodyType
	shown := map[string]bool{"": true}
	var show func(name string)
	show = func(name string) {
		if shown[name] || types[name] == nil {
			return
		}
		shown[name] = true
		all = append(all, bodyType{name, bodyFields(types[name])})
		for _, f := range all[len(all)-1].Fields {
			show(f.Of)
		}
	}
	for _, c := range s.chapters() {
		for _, o := range c.Operations {
			show(o.Body)
			for _, a := range o.Answers {
				show(a.Type)
			}
		}
	}
	return all
}

// bodyFields are the fields of a type: those that must be there, then the others, each by name.
func bodyFields(t *huma.Schema) []bodyField {
	var fields []bodyField
	for name, f := range t.Properties {
		fields = append(fields, bodyField{
			Name: name, Description: f.Description, Kind: kind(f), Of: inner(f), Limits: limits(f), Required: slices.Contains(t.Required, name),
		})
	}
	slices.SortFunc(fields, func(a, b bodyField) int {
		if a.Required != b.Required {
			return map[bool]int{true: -1, false: 1}[a.Required]
		}
		return strings.Compare(a.Name, b.Name)
	})
	return fields
}

// kind is the type of a field in words.
func kind(s *huma.Schema) string {
	word := s.Type
	switch {
	case s.Ref != "":
		word = typeName(s)
	case s.Type == huma.TypeArray:
		word = "list of " + kind(s.Items)
	case s.Type == "":
		word = "any JSON"
	}
	if s.Nullable {
		word += " or null"
	}
	return word
}

// limits are those of a field in words.
func limits(s *huma.Schema) string {
	var words []string
	if len(s.Enum) > 0 {
		allowed := make([]string, len(s.Enum))
		for i, word := range s.Enum {
			allowed[i] = fmt.Sprint(word)
		}
		words = append(words, strings.Join(allowed, ", "))
	}
	number := func(f *float64) string {
		if f == nil {
			return ""
		}
		return strconv.FormatFloat(*f, 'f', -1, 64)
	}
	count := func(n *int) string {
		if n == nil {
			return ""
		}
		return strconv.Itoa(*n)
	}
	span := func(least, most, of string) {
		switch {
		case least != "" && most != "":
			words = append(words, least+" to "+most+of)
		case least != "":
			words = append(words, "at least "+least+of)
		case most != "":
			words = append(words, "at most "+most+of)
		}
	}
	span(number(s.Minimum), number(s.Maximum), "")
	span(count(s.MinLength), count(s.MaxLength), " bytes")
	span(count(s.MinItems), count(s.MaxItems), " items")
	return strings.Join(words, "; ")
}

// sample is an example of a type, made of the examples of its fields; nil where there are none.
func sample(types huma.Registry, s *huma.Schema) any {
	if len(s.Examples) > 0 {
		return s.Examples[0]
	}
	if s.Ref != "" {
		s = types.SchemaFromRef(s.Ref)
	}
	if s.Items != nil {
		if one := sample(types, s.Items); one != nil {
			return []any{one}
		}
		return nil
	}
	example := map[string]any{}
	for name, f := range s.Properties {
		if v := sample(types, f); v != nil {
			example[name] = v
		}
	}
	if len(example) == 0 {
		return nil
	}
	return example
}

// written is an example as text.
func written(example any) string {
	if example == nil {
		return ""
	}
	text, err := json.MarshalIndent(example, "", "  ")
	if err != nil {
		return ""
	}
	return string(text)
}
