package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"

	"github.com/fetchq/server/internal/errs"
)

// MaxItems is how many elements an array, or members a map, of a request may have.
const MaxItems = 1_000

// ErrTooMany is the cause of a refusal of more than MaxItems.
var ErrTooMany = errors.New("too many items")

// Decode reads a request's body, one JSON value, into v, a pointer to a struct (or to what a member may be: below).
//
// It is stricter than encoding/json: a member's name is matched by the exact letters and stands once, unknown members
// and trailing data are refused, text is never repaired. Members are structs, slices, maps with text as key, pointers,
// strings, booleans, integers, floats and json.RawMessage. null reads as "not given", but for a RawMessage, which keeps
// it. A RawMessage is a piece of body, not a copy, and only known to be JSON and UTF-8: pass each to CheckJSON, so that
// one that jsonb refuses fails its own item and not the call.
//
// The error is an *errs.Error: Malformed for what is not JSON or not the type asked for, Invalid for a member that is
// not known, stands twice, or is a number or text outside what its type holds, and for the first element over MaxItems:
// small ones would take many times the memory of their text. Field is the path, like
// "documents[3].priority", also where a type is wrong.
func Decode(body []byte, v any) error { return DecodeUpTo(body, v, MaxItems) }

// DecodeUpTo is Decode for a request whose arrays and maps may have another number of items.
func DecodeUpTo(body []byte, v any, items int) error {
	target := reflect.ValueOf(v)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		return errors.New("wire.Decode wants a pointer to what it reads into")
	}
	check := scanner{b: body}
	if err := check.document(); err != nil {
		return err
	}
	d := decoder{scanner{b: body}, items}
	if err := d.decode(target.Elem()); err != nil {
		if err.Field == "" {
			err.Message = "the body " + err.Message
		}
		return err
	}
	return nil
}

// decoder reads text that is known to be JSON.
type decoder struct {
	scanner
	most int // elements of an array, members of a map
}

var rawType = reflect.TypeFor[json.RawMessage]()

// decode reads the next value into v.
func (d *decoder) decode(v reflect.Value) *errs.Error {
	d.space()
	if v.Type() == rawType {
		raw, err := d.raw()
		v.SetBytes(raw)
		return err
	}
	if d.peek() == 'n' {
		return d.word("null")
	}
	switch v.Kind() {
	case reflect.Pointer:
		p := reflect.New(v.Type().Elem())
		if err := d.decode(p.Elem()); err != nil {
			return err
		}
		v.Set(p)
		return nil
	case reflect.Struct:
		return d.structure(v)
	case reflect.Map:
		return d.mapping(v)
	case reflect.Slice:
		return d.slice(v)
	case reflect.String:
		if d.peek() != '"' {
			return wrongType("text")
		}
		s, err := d.quoted()
		v.SetString(s)
		return err
	case reflect.Bool:
		return d.boolean(v)
	default:
		return d.numeric(v)
	}
}

// raw reads any value as it stands.
func (d *decoder) raw() ([]byte, *errs.Error) {
	from := d.i
	err := d.value()
	return d.b[from:d.i:d.i], err
}

// members calls read for each member of an object; the next value is the member's.
func (d *decoder) members(read func(name string) *errs.Error) *errs.Error {
	if d.peek() != '{' {
		return wrongType("an object")
	}
	for d.i++; ; d.i++ {
		if d.space(); d.peek() == '}' {
			break // of an empty object: elsewhere a comma leads to a name
		}
		name, err := d.quoted()
		if err != nil {
			return err
		}
		d.space()
		d.i++ // the colon
		if err := read(name); err != nil {
			return within(name, err)
		}
		if d.space(); d.peek() == '}' {
			break
		}
	}
	d.i++
	return nil
}

func (d *decoder) structure(v reflect.Value) *errs.Error {
	fields := fieldsOf(v.Type())
	var seen uint64
	return d.members(func(name string) *errs.Error {
		index, known := fields[name]
		switch bit := uint64(1) << index; {
		case !known:
			return errs.New(errs.Invalid, "there is no such field here")
		case seen&bit != 0:
			return errs.New(errs.Invalid, "the field stands twice")
		default:
			seen |= bit
		}
		return d.decode(v.Field(index))
	})
}

func (d *decoder) mapping(v reflect.Value) *errs.Error {
	made := reflect.MakeMap(v.Type())
	v.Set(made)
	return d.members(func(name string) *errs.Error {
		key := reflect.ValueOf(name).Convert(v.Type().Key())
		if made.MapIndex(key).IsValid() {
			return errs.New(errs.Invalid, "the field stands twice")
		}
		if made.Len() == d.most {
			return d.tooMany("members")
		}
		elem := reflect.New(v.Type().Elem()).Elem()
		if err := d.decode(elem); err != nil {
			return err
		}
		made.SetMapIndex(key, elem)
		return nil
	})
}

func (d *decoder) slice(v reflect.Value) *errs.Error {
	if d.peek() != '[' {
		return wrongType("an array")
	}
	v.Set(reflect.MakeSlice(v.Type(), 0, 0)) // [] is given, null is not
	for d.i++; ; d.i++ {
		if d.space(); d.peek() == ']' {
			break
		}
		n := v.Len()
		if n == d.most {
			return d.tooMany("items")
		}
		if n == v.Cap() {
			v.Grow(1)
		}
		v.SetLen(n + 1)
		if err := d.decode(v.Index(n)); err != nil {
			return within("["+strconv.Itoa(n)+"]", err)
		}
		if d.space(); d.peek() == ']' {
			break
		}
	}
	d.i++
	return nil
}

// quoted reads a string. Text that Postgres cannot hold is refused here, because unquoting would repair it.
func (d *decoder) quoted() (string, *errs.Error) {
	from := d.i
	d.strict = true
	err := d.text()
	d.strict = false
	if err != nil {
		return "", err
	}
	text := d.b[from:d.i]
	if bytes.IndexByte(text, '\\') < 0 {
		return string(text[1 : len(text)-1]), nil
	}
	var s string
	if json.Unmarshal(text, &s) != nil {
		return "", wrongType("text")
	}
	return s, nil
}

func (d *decoder) boolean(v reflect.Value) *errs.Error {
	switch d.peek() {
	case 't':
		v.SetBool(true)
		return d.word("true")
	case 'f':
		v.SetBool(false)
		return d.word("false")
	}
	return wrongType("true or false")
}

func (d *decoder) numeric(v reflect.Value) *errs.Error {
	from := d.i
	if c := d.peek(); c != '-' && !isDigit(c) {
		return wrongType("a number")
	}
	if err := d.number(); err != nil {
		return err
	}
	text := string(d.b[from:d.i])
	if v.CanFloat() {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return errs.New(errs.Invalid, "the number is too large")
		}
		v.SetFloat(f)
		return nil
	}
	if strings.ContainsAny(text, ".eE") {
		return wrongType("a whole number")
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || v.OverflowInt(n) {
		return errs.New(errs.Invalid, "the number is too large")
	}
	v.SetInt(n)
	return nil
}

func (d *decoder) tooMany(what string) *errs.Error {
	return &errs.Error{Code: errs.Invalid, Message: fmt.Sprintf("there are more than %d %s", d.most, what), Err: ErrTooMany}
}

// wrongType says what was asked for; not what came, which is the caller's own.
func wrongType(want string) *errs.Error {
	return errs.New(errs.Malformed, "must be %s", want)
}

// maxName bounds what of an unknown name an error repeats.
const maxName = 64

// within puts a name or an index before the path of an error.
func within(name string, err *errs.Error) *errs.Error {
	if len(name) > maxName {
		name = strings.ToValidUTF8(name[:maxName], "") + "…"
	}
	switch {
	case err.Field == "":
		err.Field = name
	case strings.HasPrefix(err.Field, "["):
		err.Field = name + err.Field
	default:
		err.Field = name + "." + err.Field
	}
	return err
}

// fieldCache keeps what fieldsOf found: types are few and known at build time.
var fieldCache sync.Map // reflect.Type → map[string]int

// fieldsOf returns the index of each field of a struct by its JSON name. Structs here have at most 64 fields.
func fieldsOf(t reflect.Type) map[string]int {
	if known, ok := fieldCache.Load(t); ok {
		return known.(map[string]int)
	}
	fields := make(map[string]int, t.NumField())
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.IsExported() && name != "" && name != "-" {
			fields[name] = f.Index[0]
		}
	}
	fieldCache.Store(t, fields)
	return fields
}
