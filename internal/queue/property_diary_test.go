package queue_test

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// wrote notes a call and its answer, for the reader of a failure.
func (w *world) wrote(name, call string, values ...any) {
	line := fmt.Sprintf("%s %s.%s", w.brief(w.now), name, call)
	for _, v := range values {
		line += " " + w.brief(v)
	}
	w.diary = append(w.diary, line)
}

// brief tells a value without what is zero in it. Moments are told from the beginning of the script.
func (w *world) brief(value any) string {
	v := reflect.ValueOf(value)
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return "nil"
		}
		return w.brief(v.Elem().Interface())
	case reflect.Slice:
		if b, ok := value.([]byte); ok {
			return string(b)
		}
		items := make([]string, v.Len())
		for i := range items {
			items[i] = w.brief(v.Index(i).Interface())
		}
		return "[" + strings.Join(items, ", ") + "]"
	case reflect.Struct:
		if t, ok := value.(time.Time); ok {
			return "+" + t.Sub(w.start).Round(time.Millisecond).String()
		}
		var fields []string
		for i := range v.NumField() {
			if !v.Field(i).IsZero() {
				fields = append(fields, v.Type().Field(i).Name+":"+w.brief(v.Field(i).Interface()))
			}
		}
		return "{" + strings.Join(fields, " ") + "}"
	case reflect.String:
		return fmt.Sprintf("%.40s", value)
	default:
		return fmt.Sprint(value)
	}
}
