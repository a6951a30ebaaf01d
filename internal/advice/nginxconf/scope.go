package nginxconf

// scope is a block with the blocks around it. A directive applies from the nearest of
// them that contains it.
type scope struct {
	parent *scope
	block  []*Directive
}

// All returns the directives with a name that apply here. They are all from the nearest
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

// One returns the directive with a name that applies here, or the zero value.
func (s *scope) One(name string) Directive {
	if all := s.All(name); len(all) > 0 {
		return *all[len(all)-1]
	}
	return Directive{}
}

// set returns the value assigned to a variable, in this block or around it.
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
