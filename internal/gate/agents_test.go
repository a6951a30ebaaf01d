package gate

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/health"
	"github.com/goodgate/goodgate/internal/lab/logtest"
)

func TestAgentsAdjust(t *testing.T) {
	t.Parallel()
	f := func(words string, bases []int, down string, want string) {
		t.Helper()
		a := &agents{words: map[string]health.AgentWord{}}
		var list []balancer.Spec
		for i, word := range strings.Fields(words) {
			addr := fmt.Sprint(i, ":1")
			list = append(list, balancer.Spec{Addr: addr, Weight: bases[i]})
			switch word {
			case "-":
			case "drain":
				a.words[addr] = health.AgentWord{Drain: true}
			case "down":
				a.words[addr] = health.AgentWord{Down: true}
			default:
				w := health.AgentWord{Weighted: true}
				fmt.Sscan(word, &w.Percent)
				a.words[addr] = w
			}
		}
		p, err := balancer.NewPool(balancer.Options{Name: "app", Checked: true})
		if err != nil {
			t.Fatal(err)
		}
		p.Update(list)
		for _, m := range p.Members() {
			result := balancer.Passed
			if strings.HasPrefix(m.Addr(), down) && down != "" {
				result = balancer.Refused
			}
			m.ObserveProbe(result, balancer.Thresholds{Rise: 1, Fall: 1})
		}
		a.adjust(list, p.Members())
		var got []string
		for _, s := range list {
			text := fmt.Sprint(s.Weight)
			if s.Lifecycle != balancer.Serving {
				text = "out"
			}
			got = append(got, text)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s of %v: got %v, want %s", words, bases, got, want)
		}
	}
	f("- -", []int{1, 1}, "", "1 1")
	f("- -", []int{2, 4}, "", "1 2") // the same shares
	f("100 100", []int{1, 3}, "", "1 3")
	f("50 100", []int{1, 1}, "", "1 2")
	f("75 -", []int{1, 1}, "", "3 4")
	f("50 50", []int{1, 1}, "", "1 1")
	f("200 50 100", []int{1, 4, 2}, "", "1 1 1")
	f("0 100", []int{1, 1}, "", "out 1")
	f("drain down 10", []int{1, 1, 1}, "", "out out 1")
	f("drain 10 20", []int{1, 1, 1}, "", "out 1 2")
	f("drain down 0", []int{1, 1, 1}, "", "1 1 1") // none would be left
	f("drain -", []int{1, 1}, "1:", "1 1")         // the one that is left is down
	f("drain - -", []int{1, 1, 1}, "1:", "out 1 1")
}

// script is an agent whose answer can be changed.
type script struct {
	mu   sync.Mutex
	says string
}

func (s *script) say(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.says = text
}

func agentScript(t *testing.T, host string, port int) (*script, int) {
	t.Helper()
	l, err := net.Listen("tcp", fmt.Sprint(host, ":", port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s := &script{says: "100%"}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			io.WriteString(c, s.says+"\n")
			s.mu.Unlock()
			c.Close()
		}
	}()
	return s, l.Addr().(*net.TCPAddr).Port
}

// Agents change weights, take upstreams out and bring them back while requests come; a
// reload without them gives the configured weights back.
func TestAgents(t *testing.T) {
	t.Parallel()
	one, two := app(t, "one"), strings.Replace(app(t, "two"), "127.0.0.1", "127.0.0.2", 1)
	a, port := agentScript(t, "127.0.0.1", 0)
	const form = "listeners: [\"127.0.0.1:0\"]\npools: {app: {upstreams: [%q, {url: %q, weight: 2}], policy: round_robin, health: {type: none%s}}}"
	text := fmt.Sprintf(form, one, two, fmt.Sprintf(", agent: {port: %d, interval: 10ms}", port))
	g := start(t, parse(t, text), Options{})
	await := func(want string) {
		t.Helper()
		var got string
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
			var list []string
			for _, m := range g.gate.Pools()[0].Members() {
				s := fmt.Sprint(m.Weight)
				if !m.Available() {
					s = "out"
				}
				list = append(list, s)
			}
			if got = strings.Join(list, " "); got == want {
				return
			}
		}
		t.Fatalf("got %s, want %s", got, want)
	}
	weights := func(want string) {
		t.Helper()
		var list []string
		for _, m := range g.gate.Pools()[0].Members() {
			weight, percent := control{g.gate}.Weight(m.Key())
			list = append(list, fmt.Sprint(percent, "% of ", weight))
		}
		if got := strings.Join(list, ", "); got != want {
			t.Errorf("weights for the operator: got %s, want %s", got, want)
		}
	}
	await("1 2")
	weights("100% of 1, 100% of 2")
	a.say("50%")
	await("1 4")
	weights("50% of 1, 100% of 2")
	a.say("drain")
	await("out 2")
	a.say("down # 50%")
	a.say("ready up 25%")
	await("1 8")
	weights("25% of 1, 100% of 2")
	if _, err := g.gate.Reload(parse(t, fmt.Sprintf(form, one, two, ""))); err != nil {
		t.Fatal(err)
	}
	await("1 2")
	weights("0% of 0, 0% of 0") // no agents
}

// An agent that accepts connections and says nothing does not delay the effect of another
// agent's word, and the log names the failure once.
func TestAgentHangs(t *testing.T) {
	t.Parallel()
	one, two := app(t, "one"), strings.Replace(app(t, "two"), "127.0.0.1", "127.0.0.2", 1)
	a, port := agentScript(t, "127.0.0.1", 0)
	silent, err := net.Listen("tcp", fmt.Sprint("127.0.0.2:", port))
	if err != nil {
		t.Skip(err) // the port is taken there
	}
	defer silent.Close() // its kernel accepts connections
	var log logtest.Buffer
	g := start(t, parse(t, fmt.Sprintf(`listeners: ["127.0.0.1:0"]
pools: {app: {upstreams: [%q, %q], health: {type: none, timeout: 10m, agent: {port: %d, interval: 10ms}}}}`, one, two, port)),
		Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	out := func() bool { return !g.gate.Pools()[0].Members()[0].Available() }
	a.say("drain")
	eventually(t, "the word of the agent that answers", out, func() string { return log.String() })
	a.say("nonsense")
	eventually(t, "a warning", func() bool { return strings.Contains(log.String(), "agent check fails") }, log.String)
	a.say("ready")
	eventually(t, "its end", func() bool { return strings.Contains(log.String(), "agent check passes") && !out() }, log.String)
	if n := strings.Count(log.String(), "agent check fails"); n != 1 {
		t.Errorf("warnings: got %d, want 1", n)
	}
}
