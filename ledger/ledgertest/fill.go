package ledgertest

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"orderly/ledger"
)

// A field that a store forgets is noticed years later, when an order is resumed without it; so
// every field is given a value and looked for.

// filler gives every exported field of a record a value of its own, so that a field that is not
// stored, or stored in another's place, shows. A kind it does not know stops the test, so that no
// new field escapes.
type filler struct{ n int64 }

// record fills the struct that p points to, except the named fields, on every level.
func (f *filler) record(p any, except ...string) { f.value(reflect.ValueOf(p).Elem(), except) }

func (f *filler) value(v reflect.Value, except []string) {
	f.n++
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(day.Add(time.Duration(f.n) * (time.Hour + time.Microsecond))))
		return
	}
	if v.Type() == reflect.TypeFor[ledger.Payload]() {
		text, _ := json.Marshal(map[string]string{"wanted": fmt.Sprintf("%d ü<&>\\u2028\n", f.n)})
		v.SetString(string(text))
		return
	}
	if v.Type() == reflect.TypeFor[netip.Addr]() {
		v.Set(reflect.ValueOf(netip.AddrFrom4([4]byte{192, 0, 2, byte(f.n)})))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("%d \"it's\" 100%% <&> \\ ü\u2028\n", f.n))
	case reflect.Int, reflect.Int64:
		v.SetInt(f.n)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8:
		v.SetUint(uint64('a' + f.n%26))
	case reflect.Struct:
		for i := range v.NumField() {
			if field := v.Type().Field(i); field.IsExported() && !slices.Contains(except, field.Name) {
				f.value(v.Field(i), except)
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 3, 3))
		for i := range 3 {
			f.value(v.Index(i), except)
		}
	case reflect.Map:
		key, element := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		f.value(key, except)
		f.value(element, except)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, element)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.value(v.Elem(), except)
	default:
		panic(fmt.Sprintf("ledgertest cannot fill a %s: teach it to", v.Type()))
	}
}

// same compares two records deeply and names the fields that differ.
func (b *bench) same(what string, got, want any) {
	b.Helper()
	if reflect.DeepEqual(got, want) {
		return
	}
	b.differ(what, reflect.ValueOf(got), reflect.ValueOf(want))
	if !b.Failed() {
		b.Errorf("%s: %+v, want %+v", what, got, want)
	}
}

func (b *bench) differ(path string, got, want reflect.Value) {
	b.Helper()
	switch {
	case reflect.DeepEqual(got.Interface(), want.Interface()):
	case got.Kind() == reflect.Pointer && !got.IsNil() && !want.IsNil():
		b.differ(path, got.Elem(), want.Elem())
	case got.Kind() == reflect.Slice && got.Len() == want.Len():
		for i := range got.Len() {
			b.differ(fmt.Sprintf("%s[%d]", path, i), got.Index(i), want.Index(i))
		}
	case got.Kind() == reflect.Struct && got.Type() != reflect.TypeFor[time.Time]():
		for i := range got.NumField() {
			b.differ(path+"."+got.Type().Field(i).Name, got.Field(i), want.Field(i))
		}
	default:
		b.Errorf("%s is %#v, want %#v", path, got.Interface(), want.Interface())
	}
}

// times calls see for every time in a record, with its path.
func times(path string, v reflect.Value, see func(path string, t time.Time)) {
	if t, ok := v.Interface().(time.Time); ok {
		see(path, t)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			times(path, v.Elem(), see)
		}
	case reflect.Slice:
		for i := range v.Len() {
			times(fmt.Sprintf("%s[%d]", path, i), v.Index(i), see)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			times(path+"."+v.Type().Field(i).Name, v.Field(i), see)
		}
	}
}
