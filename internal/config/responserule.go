package config

import "slices"

// formStatuses are statuses whose answers have a form of their own, without a body or with
// a part of one.
var formStatuses = [...]int{204, 205, 206, 304}

// responseRules reports rules that break an answer, or do nothing.
func (v *validator) responseRules(path string, rules []ResponseRule) {
	for i, r := range rules {
		at := index(path, i)
		v.headerEdit(at, HeaderEdit{Set: r.Set, Add: r.Add, Remove: r.Remove, Replace: r.Replace}, false)
		if slices.Contains(formStatuses[:], r.NewStatus) {
			v.errorf(at+".new_status", "found %d: an answer with this status has no body, or only a part of one", r.NewStatus)
		}
		if r.NewStatus == 0 && len(r.Set)+len(r.Add)+len(r.Remove)+len(r.Replace) == 0 {
			v.errorf(at, "changes nothing: give new_status, set, add, remove or replace")
		}
	}
}
