package main

import (
	"bytes"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// command runs the program and returns its output and exit code.
func command(args ...string) (stdout, stderr string, code int) {
	var out, err bytes.Buffer
	code = run(args, &out, &err)
	return out.String(), err.String(), code
}

// TestMistakes: each mistake on the command line is said in our words, on standard
// error, with what to do, and ends with 2.
func TestMistakes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ args, want string }{
		{"chek", `there is no command "chek": did you mean goodgate check?`},
		{"statsu", "did you mean goodgate status?"},
		{"foo", `there is no command "foo"; the commands are bench, changes, check, `},
		{"help foo", `there is no command "foo"`},
		{"completion foo", `there is no command "foo"`},
		{"completion bahs", "did you mean goodgate completion bash?"},
		{"--verson", "goodgate has no flag --verson: did you mean --version?"},
		{"-x", "goodgate has no flag -x"},
		{"run", "run needs --config or --listen"},
		{"run --listen :0", "run needs --to"},
		{"run --to http://127.0.0.1:1", "run needs --listen"},
		{"run --config x --to http://a", "--config and --to exclude each other"},
		{"run --config x --listen :0 --to http://a", "exclude each other"},
		{"run --config x --admin off", "--config and --admin exclude each other"},
		{"run --watch --listen :0 --to http://a", "--watch and --listen exclude each other"},
		{"run --lisen :0", "run has no flag --lisen: did you mean --listen?"},
		{"run --listen", "--listen needs a value: ADDRESS to listen on"},
		{"run --watch=perhaps", `--watch "perhaps": expected true or false`},
		{"run --log-format nice", `--log-format "nice": expected auto, human, json`},
		{"run --=x", "is not a flag"},
		{"run extra", `run takes no argument: unexpected "extra"`},
		{"run --listen 8080 --to localhost:3000", "--listen: found"},
		{"check", "check needs the argument FILE"},
		{"check a b", `check takes only the argument FILE: unexpected "b"`},
		{"deploy", "deploy needs the argument POOL"},
		{"deploy a b --to x", `deploy takes only the argument POOL: unexpected "b"`},
		{"purge a b", `purge takes only the argument URL or PATH: unexpected "b"`},
		{"diff", "diff needs the argument NEW"},
		{"diff a b c", `diff takes only the arguments OLD and NEW: unexpected "c"`},
		{"fmt", "fmt needs the argument FILE"},
		{"why", "why needs the argument REQUEST-ID"},
		{"why a b", `unexpected "b"`},
		{"drain", "drain needs the argument UPSTREAM"},
		{"undrain", "undrain needs the argument UPSTREAM"},
		{"on", "undrain needs the argument UPSTREAM"},
		{"off a b", `unexpected "b"`},
		{"status x", "status takes no argument"},
		{"config roll", `there is no command "roll"`},
		{"status -o yaml", `--output "yaml": expected text or json`},
		{"status --admin a --config b", "--admin and --config exclude each other"},
		{"status --admin http://a/b", `admin address "http://a/b": expected host:port or unix:/path`},
		{"purge", "purge needs a URL, a path, --pool POOL or --all"},
		{"purge /a --all", "--all excludes a URL"},
		{"schema foo", "schema takes no argument"},
		{"version foo", "version takes no argument"},
		{"bench", "bench needs the argument URL"},
		{"bench http://127.0.0.1:1/ --rate 0", `--rate "0": expected a number from 0.001 to 1000000`},
		{"bench http://127.0.0.1:1/ --rate NaN", "expected a number"},
		{"bench http://127.0.0.1:1/ --rate -1", "expected a number"},
		{"bench http://127.0.0.1:1/ --rate 1e300", "expected a number"},
		{"bench http://127.0.0.1:1/ --rate Inf", "expected a number"},
		{"bench http://127.0.0.1:1/ --ramp NaN", "expected a number"},
		{"bench http://127.0.0.1:1/ --for 10", `--for "10": expected a duration above 0, such as`},
		{"bench http://127.0.0.1:1/ --for 0s", `--for "0s": expected a duration above 0`},
		{"bench http://127.0.0.1:1/ --timeout 0", `--timeout "0": expected a duration above 0`},
		{"bench http://127.0.0.1:1/ --knee --p99 0s", `--p99 "0s": expected a duration above 0`},
		{"bench http://127.0.0.1:1/ --body-size -1", `--body-size "-1": expected a number from 0`},
		{"bench http://127.0.0.1:1/ --knee --ramp 500", "--knee and --ramp exclude each other"},
		{"bench http://127.0.0.1:1/ -X GET,POST", `--method "GET,POST": expected a name such as GET`},
		{"bench http://127.0.0.1:1/ -X GÉT", "expected a name such as GET"},
		{"bench http://127.0.0.1:1/ --header X", `--header "X": expected 'Name: value'`},
		{"bench http://127.0.0.1:1/ --header X(Y):1", `--header "X(Y):1": a header cannot have these characters`},
		{"health --timeout 0", `--timeout "0": expected a duration above 0`},
		{"health --timeout -1s", `--timeout "-1s": expected a duration above 0`},
		{"doctor --to http://127.0.0.1:1 --max-wait 0", `--max-wait "0": expected a duration above 0`},
		{"bench compare a", "bench compare needs the argument AFTER.json"},
		{"demo --rate 0", `--rate "0": expected a number from 1 to 5000`},
		{"demo --rate 5001", "expected a number from 1 to 5000"},
		{"demo --rate 1.5", "expected a number from 1 to 5000"},
		{"demo --rate 99999999999999999999", "expected a number from 1 to 5000"},
		{"demo --for -1s", "--for -1s: expected a duration"},
		{"demo --for soon", "expected a duration"},
		{"demo --seed x", `--seed "x": expected a whole number`},
		{"explain http://a/", "explain needs --config"},
		{"doctor", "doctor needs --config, --to, --nginx, --haproxy or --log"},
		{"doctor --config a --nginx b", "--config and --nginx exclude each other"},
		{"convert", "convert needs"},
		{"pause app --for 0s", `--for "0s": expected a duration above 0`},
		{"pause app --max 0s", `--max "0s": expected a duration above 0`},
		{"pause app --max-requests 0", `--max-requests "0": expected a number from 1 to 100000`},
		{"maintenance on app --for 0s", `--for "0s": expected a duration above 0`},
		{"maintenance on app --retry-after -5m", "expected a duration above 0"},
		{"maintenance sideways app", `there is no command "sideways"; the commands are off, on`},
		{"maintenance sideways app --why x", `there is no command "sideways"; the commands are off, on`},
		{"split shop v2=5 --for 0s", `--for "0s": expected a duration above 0`},
		{"split shop v2", "expected POOL=WEIGHT"},
		{"split shop v2=5 v2=10", `"v2=10": pool v2 has a weight already`},
		{"split --reset", "split needs the argument ROUTE"},
		{"split shop --reset v2=5", "takes no weights"},
		{"split shop --reset --for 1m", "--reset and --for exclude each other"},
		{"split shop --for 1m", "--for needs new weights: add POOL=WEIGHT"},
		{"split shop --why x", "--why needs a change: add POOL=WEIGHT"},
		{"split --why x", "split needs the argument ROUTE"},
		{"fault shop --why x", "a fault has exactly one of"},
		{"fault shop --delay 1s --kind delay", "--kind needs --end"},
		{"deploy app", "deploy needs --to"},
		{"deploy app --to http://127.0.0.1:1 --restart true --steps 5,100", "--restart and --steps exclude each other"},
		{"deploy app --to http://127.0.0.1:1 --steps 1,x", `--steps "1,x": expected numbers`},
	} {
		stdout, stderr, code := command(strings.Fields(test.args)...)
		if code != exitUsage || stdout != "" || !strings.HasPrefix(stderr, "goodgate: ") || !strings.Contains(stderr, test.want) {
			t.Errorf("goodgate %s: exit code %d, stdout %q, stderr\n%swant 2, and %q in stderr", test.args, code, stdout, stderr, test.want)
		}
		for _, theirs := range []string{"arg(s)", "if any flags", "flags in the group", "unknown flag", "unknown command", "unknown shorthand", "invalid argument", "strconv", "flag(s)"} {
			if strings.Contains(stderr, theirs) {
				t.Errorf("goodgate %s: %q are a library's words: %s", test.args, theirs, stderr)
			}
		}
	}
}

// TestNextStep: below a mistake is the text to write, or where to find it.
func TestNextStep(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"run":   "\n  example: goodgate run --listen :8080 --to http://127.0.0.1:3000 --to unix:/run/app.sock\n  more: goodgate run --help\n",
		"drain": "\n  example: goodgate drain 127.0.0.1:3001\n",
		"chek":  "\n  more: goodgate --help\n",
	} {
		if _, stderr, _ := command(args); !strings.Contains(stderr, want) {
			t.Errorf("goodgate %s: got\n%swant %q in it", args, stderr, want)
		}
	}
}

// TestHelp: every command has a page, and its flags name their values.
func TestHelp(t *testing.T) {
	t.Parallel()
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		args := append(strings.Fields(c.CommandPath())[1:], "--help")
		if stdout, stderr, code := command(args...); code != 0 || stderr != "" || !strings.Contains(stdout, "Usage:") {
			t.Errorf("%v: exit code %d\n%s%s", args, code, stdout, stderr)
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRoot(io.Discard, io.Discard))
	if stdout, _, code := command("help", "drain"); code != 0 || !strings.Contains(stdout, "goodgate drain UPSTREAM") {
		t.Errorf("help drain: exit code %d\n%s", code, stdout)
	}
	if stdout, _, code := command(); code != 0 || !strings.Contains(stdout, "Usage:") {
		t.Errorf("without arguments: exit code %d\n%s", code, stdout)
	}
	flag, _, code := command("--version")
	if word, _, _ := command("version"); code != 0 || flag != word || flag == "" {
		t.Errorf("--version: exit code %d, %q; version prints %q", code, flag, word)
	}
}

// TestHelpGroups: the help lists each command with those of its purpose.
func TestHelpGroups(t *testing.T) {
	t.Parallel()
	for _, c := range newRoot(io.Discard, io.Discard).Commands() {
		if c.GroupID == "" && !slices.Contains([]string{"completion", "help", "schema", "version"}, c.Name()) {
			t.Errorf("%s is in no group", c.Name())
		}
	}
}

// TestCommandsAreDocumented: docs/commands.md has every command.
func TestCommandsAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/commands.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range newRoot(io.Discard, io.Discard).Commands() {
		if c.Name() != "help" && !strings.Contains(string(page), "`goodgate "+c.Name()) {
			t.Errorf("docs/commands.md does not have %s", c.Name())
		}
	}
}
