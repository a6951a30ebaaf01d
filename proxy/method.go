package proxy

import (
	"iter"
	"net/http"
	"strings"

	"github.com/goodgate/goodgate/internal/wire/message"
)

// Some frameworks take the method of a POST from a field or a parameter. A client could
// so reach a resource under the rules for another method.

// methodFields are the fields from which frameworks take the method.
var methodFields = [...]string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override"}

// methodRefusal returns why a method is refused, or nil. If an application may read
// another method in the request, and the route for that one restricts access, the request
// must belong to that route too. For the routes without such rules, a difference is
// harmless, and some applications rely on it: they send a long query by POST.
func (x *exchange) methodRefusal(rt *Route) error {
	if !x.proxy.byMethod {
		return nil
	}
	return x.otherMethods(rt) // apart, because its closures allocate
}

func (x *exchange) otherMethods(rt *Route) error {
	r := x.request
	own := r.Method
	defer func() { r.Method = own }()
	for method := range methodsIn(r) {
		if method == own {
			continue
		}
		r.Method = method
		if other := x.match(r.URL.Path); other != rt && (other == nil || other.restricts()) {
			return errMethodTwice
		}
	}
	return nil
}

// methodsIn yields the methods that an application may read in a request, in upper case.
func methodsIn(r *Request) iter.Seq[string] {
	own := r.Method
	return func(yield func(string) bool) {
		if upper := strings.ToUpper(own); upper != own && !yield(upper) {
			return
		}
		for _, name := range methodFields {
			for line := range r.ValuesOf(name) {
				for method := range strings.SplitSeq(line, ",") {
					if !yield(strings.ToUpper(strings.TrimSpace(method))) {
						return
					}
				}
			}
		}
		if own != http.MethodPost || r.URL.RawQuery == "" {
			return
		}
		for method := range message.QueryValues(r.URL.RawQuery, "_method") {
			if !yield(strings.ToUpper(strings.TrimSpace(method))) {
				return
			}
		}
	}
}

// restricts reports whether a route has rules about who may use it, or answers itself.
func (rt *Route) restricts() bool {
	return rt.Pool == nil || rt.Access.Networks != nil || rt.asks()
}
