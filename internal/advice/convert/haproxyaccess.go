package convert

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/haproxy"
)

var httpAuth = regexp.MustCompile(`^http_auth\(([\w.:-]+)\)$`)

// signIn returns the guards of "http-request auth": requests that meet its condition
// must have credentials of a userlist.
func (h *fromHAProxy) signIn(s *haproxy.Section, l haproxy.Line) (guards []guard) {
	lost, _ := hidesOrLimits(l)
	refuse := func(why string) {
		h.refuse(l.At(), h.name(l), "("+strings.Join(l.Words, " ")+") "+lost+": "+why+" (see access.basic)")
	}
	h.use(l)
	list, rest, ok := h.userlist(s, l)
	if !ok {
		refuse("its condition is not about the users of one userlist")
		return nil
	}
	var terms []term
	if terms, ok = h.terms(s, rest); !ok {
		refuse("it has a condition that a route cannot have")
		return nil
	}
	realm := cmp.Or(l.After("realm"), s.Name, "goodgate")
	accounts, ok := h.accounts(list)
	if !ok || !isValue(realm) {
		refuse("userlist " + list + " has users without a bcrypt hash: create new hashes (htpasswd -B)")
		return nil
	}
	file, ok := h.usersFile(l.At(), h.name(l), list+".users", accounts)
	if !ok {
		refuse("userlist " + list + " has no users that convert can read")
		return nil
	}
	h.note(l.At(), h.name(l), guessing)
	return alternatives(terms, guard{lost: Note{l.At(), h.name(l), "(" + strings.Join(l.Words, " ") + ") " + lost}, then: func(r route, rest []guard) {
		d := draft{route: r}
		if !d.asksFor(basicAuth{file: file, realm: realm}) {
			refuse("a route can have only one list of users and one realm")
		}
		h.guarded(d.route, rest)
	}})
}

// userlist returns the userlist whose users pass a line, and the line without that
// condition.
func (h *fromHAProxy) userlist(s *haproxy.Section, l haproxy.Line) (list string, rest haproxy.Line, ok bool) {
	rest = l
	s = aclsOf(s, l)
	at := slices.IndexFunc(l.Words, func(w string) bool { return w == "if" || w == "unless" })
	if at < 0 {
		return "", rest, false
	}
	var others []string
	words := l.Words[at+1:]
	unless := l.Words[at] == "unless"
	for i := 0; i < len(words); i++ {
		w := words[i]
		if w == "!" && i+1 < len(words) {
			i++
			w += words[i]
		}
		name, not := strings.CutPrefix(w, "!")
		var test []string
		if name == "{" && i+2 < len(words) && words[i+2] == "}" {
			test = words[i+1 : i+2]
		} else if tests := h.acl(s, name); len(tests) == 1 {
			test = tests[0]
		}
		m := httpAuth.FindStringSubmatch(first(test))
		if m == nil || len(test) != 1 || not == unless {
			others = append(others, w)
			continue
		}
		if name == "{" {
			i += 2
		}
		if list != "" && list != m[1] {
			return "", rest, false
		}
		list = m[1]
	}
	either := slices.ContainsFunc(others, func(w string) bool { return w == "or" || w == "||" })
	if list == "" || either || unless && len(others) > 0 {
		return "", rest, false
	}
	rest.Words = slices.Clone(l.Words[:at])
	if len(others) > 0 {
		rest.Words = append(append(rest.Words, "if"), others...)
	}
	return list, rest, true
}

// accounts returns the users of a userlist. ok is false if goodgate cannot check one of
// their passwords.
func (h *fromHAProxy) accounts(list string) (all []account, ok bool) {
	s := h.Find("userlist", list)
	if s == nil {
		return nil, false
	}
	for _, l := range s.All("user") {
		hash := l.After("password")
		if !strongHash.MatchString(hash) {
			return nil, false
		}
		all = append(all, account{l.Word(1), hash})
	}
	return all, true
}

// compressed converts the compression settings of a section.
func (h *fromHAProxy) compressed(s *haproxy.Section, r *route) {
	algorithms, types := s.One("compression", "algo"), s.One("compression", "type")
	if !algorithms.Has("gzip") {
		return // it is noted
	}
	kinds := types.Words[min(2, len(types.Words)):]
	for i, t := range kinds {
		kind, sub, ok := strings.Cut(t, "/")
		if !ok || !isToken(kind) || !isToken(sub) || slices.Contains(kinds[:i], t) || strings.Contains(t, "*") {
			return
		}
	}
	r.compress = "{encodings: gzip, min_size: 0B}"
	if len(kinds) > 0 {
		r.compress = "{encodings: gzip, types: " + list(kinds) + ", min_size: 0B}"
	}
	h.use(algorithms, types, s.One("compression", "offload"), s.One("compression", "direction"), s.One("filter", "compression"))
}
