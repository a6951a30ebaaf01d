package convert

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goodgate/goodgate/internal/vars"
)

var variable = regexp.MustCompile(`\$(?:(\w+)|\{(\w+)\})`)

// isLiteral reports whether a value of a field is the same for goodgate, which would take
// some text in braces for a variable.
func isLiteral(value string) bool { return isValue(value) && vars.Literal(value) }

// filling says which variables a text may have.
type filling struct {
	server string   // its name
	groups []string // names of the expression's groups; the first stands for the whole match
	answer bool     // the text goes to the client, when the upstream is known
	const_ func(string) string
	auth   *forwardAuth // the service that has answered; nil = none
}

// fill writes nginx's variables as goodgate's; ok is false when there is one that it
// does not have.
func (f filling) fill(text string) (filled string, ok bool) {
	if f.const_ != nil {
		text = f.const_(text)
	}
	ok = vars.Literal(variable.ReplaceAllString(text, ""))
	text = strings.NewReplacer("$is_args$args", "\x00query", "${is_args}${args}", "\x00query", "$is_args$query_string", "\x00query").Replace(text)
	text = variable.ReplaceAllStringFunc(text, func(v string) string {
		to, known := f.one(strings.Trim(v, "${}"))
		ok = ok && known
		return to
	})
	text = strings.ReplaceAll(text, "\x00query", "{query}")
	return text, ok && !strings.Contains(text, "$")
}

func (f filling) one(name string) (string, bool) {
	if to, ok := vars.OfNginx(name); ok {
		return to, f.answer || name != "upstream_addr"
	}
	if len(name) == 1 && name >= "1" && name <= "9" {
		return "{" + name + "}", int(name[0]-'0') < len(f.groups)
	}
	if i := slices.Index(f.groups, name); i > 0 && i < 10 {
		return "{" + strconv.Itoa(i) + "}", true
	}
	return f.server, name == "server_name"
}

// groupsOf are the names of the groups of an expression, with that of the whole first.
func groupsOf(expression string) []string {
	re, err := regexp.Compile(expression)
	if err != nil || expression == "" {
		return nil
	}
	return re.SubexpNames()
}

// groups are those that a route's variables may have: of the path, else of the host.
func (c conditions) groups() []string { return groupsOf(cmp.Or(c.regexp, c.hostRe)) }
