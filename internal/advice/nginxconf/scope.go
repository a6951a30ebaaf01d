package nginxconf

// scope is a block with those around it, in which a directive holds that stands
// in the nearest of them.
type scope struct {
	parent *scope
	block  []*Directive
}

// All returns the directives of a name that hold here: those of the nearest
// block that has any, as nginx inherits lists.
func (s *scope) All(name string) []*Directive {
	for ; s != nil; s = s.parent {
		var all []*Directive
		for _, d := range s.block {
			if d.Name == name {
				all = append(all, d)
			}
		}
		if len(all) > 0 {
			return all
		}
	}
	return nil
}

// One returns the directive of a name that holds here; its zero value when there
// is none.
func (s *scope) One(name string) Directive {
	if all := s.All(name); len(all) > 0 {
		return *all[len(all)-1]
	}
	return Directive{}
}

// set returns what a variable was set to, in this block or around it.
func (s *scope) set(variable string) (string, bool) {
	for ; s != nil; s = s.parent {
		for _, d := range s.block {
			if d.Name == "set" && d.Arg(0) == variable {
				return d.Arg(1), true
			}
		}
	}
	return "", false
}
