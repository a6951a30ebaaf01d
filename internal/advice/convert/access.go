package convert

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// access holds the checks that a request must pass before a route takes it.
type access struct {
	basic   *basicAuth
	forward *forwardAuth
	either  string // networks whose clients need no further check; "" = all checks apply
}

// basicAuth asks for a name and a password.
type basicAuth struct {
	file, realm string
	userHeader  string // header with the user's name for the upstream; "" = none
	hide        bool   // the upstream does not get the password
}

// forwardAuth asks a service for permission.
type forwardAuth struct {
	pool, path string
	set, add   map[string]string // headers of the authentication request
	drop       []string
	copied     []string          // headers of the service's answer that upstreams get
	returned   []string          // and that clients get
	claims     map[string]string // headers of the service's answer by nginx's variable
}

func (a access) String() string {
	var parts []string
	if a.basic != nil {
		parts = append(parts, "basic: "+a.basic.String())
	}
	if a.forward != nil {
		parts = append(parts, "forward: "+a.forward.String())
	}
	if a.either != "" {
		parts = append(parts, "allow: "+a.either, "satisfy: any")
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func (b *basicAuth) String() string {
	text := "{file: " + quote(b.file) + ", realm: " + quote(b.realm)
	if b.userHeader != "" {
		text += ", user_header: " + quote(b.userHeader)
	}
	if b.hide {
		text += ", hide: true"
	}
	return text + "}"
}

func (f *forwardAuth) String() string {
	text := "{pool: " + f.pool + ", path: " + quote(f.path)
	if edits := edits(f.set, f.add, f.drop); edits != "" {
		text += ", request_headers: {" + edits + "}"
	}
	if len(f.copied) > 0 {
		text += ", copy_headers: " + list(f.copied)
	}
	if len(f.returned) > 0 {
		text += ", return_headers: " + list(f.returned)
	}
	return text + "}"
}

// asksFor adds users with passwords to a draft. It reports false if the draft already
// has others, because a route can have only one list.
func (d *draft) asksFor(b basicAuth) bool {
	if d.basic != nil && *d.basic != b {
		return false
	}
	d.basic = &b
	return true
}

// asks adds an authorization service to a draft. The service sees the path as the
// client sent it, so the draft must not have changed the path yet. Changes of the
// draft's headers apply to the authentication request too.
func (d *draft) asks(f *forwardAuth) (lost string) {
	switch {
	case d.forward != nil && d.forward.String() != f.String():
		return "a route can ask only one service"
	case d.strip+d.add+d.rewrite[0]+d.fixed != "":
		return "goodgate sends the service the client's path, not the rewritten one"
	}
	f.set, f.add, f.drop = d.setRequest, d.addRequest, d.dropRequest
	d.forward = f
	return ""
}

// isClaim reports whether a service or a list of users may set a header for upstreams.
func isClaim(name string) bool { return isField(name) && !bySelf(name) }

// isQuestion reports whether goodgate can ask a service with this path and query.
func isQuestion(text string) bool {
	path, query, _ := strings.Cut(text, "?")
	return isPath(path) && !strings.HasPrefix(path, "//") && !strings.ContainsFunc(path+query, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`#{}\"<>^|`+"`", r) })
}

// account is a user with the hash of a password.
type account struct{ name, hash string }

var strongHash = regexp.MustCompile(`^\$(?:2[aby]|argon2id?)\$`)

// usersFile returns the file to write accounts to, because goodgate keeps no users in
// its configuration. goodgate does not start without that file.
func (r *Result) usersFile(where, what, base string, accounts []account) (file string, ok bool) {
	key, weak := fmt.Sprintf("%q", accounts), 0
	for _, a := range accounts {
		if a.name == "" || a.hash == "" || strings.ContainsAny(a.name+a.hash, ":\r\n") {
			return "", false
		}
		if !strongHash.MatchString(a.hash) {
			weak++
		}
	}
	if len(accounts) == 0 {
		return "", false
	}
	if r.users == nil {
		r.users = map[string]string{}
	}
	file, known := r.users[key]
	if !known {
		file = "/etc/goodgate/" + unusedName(base, func(name string) bool {
			return slices.ContainsFunc(slices.Collect(maps.Values(r.users)), func(s string) bool { return s == "/etc/goodgate/"+name })
		})
		r.users[key] = file
	}
	r.note(where, what, "write its %s to %s, one NAME:HASH per line. goodgate does not start without this file", counted(len(accounts), "user"), file)
	if weak > 0 {
		r.note(where, what, "%s no bcrypt or Argon2 hash: create a new one (htpasswd -B)", map[bool]string{true: "1 of the users has", false: fmt.Sprintf("%d of the users have", weak)}[weak == 1])
	}
	return file, true
}

// unusedName returns a file name that is not taken.
func unusedName(base string, taken func(string) bool) string {
	base = strings.Trim(notInNames.ReplaceAllString(base, "-"), "-.")
	if base == "" || len(base) > 60 {
		base = "users"
	}
	name := base
	for i := 2; taken(name); i++ {
		name = fmt.Sprintf("%s-%d", base, i)
	}
	return name
}

var notInNames = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// guessing is the text of a note for each list of users.
const guessing = "a client gets 429 after 10 wrong passwords in a minute"

// names sets the header in which upstreams get the user's name.
func (d *draft) names(field string) bool {
	if d.basic == nil || d.basic.userHeader != "" && !strings.EqualFold(d.basic.userHeader, field) || !isClaim(field) {
		return false
	}
	b := *d.basic
	b.userHeader = field
	d.basic = &b
	return true
}
