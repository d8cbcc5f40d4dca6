package api

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// number is a number of a query that may be left out; given is nil then.
type number struct {
	value int
	given *int
}

// Schema tells huma that it is a number like any other.
func (number) Schema(r huma.Registry) *huma.Schema {
	return huma.SchemaFromType(r, reflect.TypeFor[int]())
}

// Receiver tells huma what to read the query into.
func (n *number) Receiver() reflect.Value { return reflect.ValueOf(&n.value).Elem() }

// OnParamSet is called by huma when it has read one.
func (n *number) OnParamSet(given bool, _ any) {
	if given {
		n.given = &n.value
	}
}
