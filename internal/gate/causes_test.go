package gate

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/goodgate/goodgate/internal/lab/logtest"
)

// TestCauseInTheLog: the record of an upstream that goes says why, also when it was a live
// connection that was refused. It said "probes":"down", though no probe had failed, and
// nothing else.
func TestCauseInTheLog(t *testing.T) {
	t.Parallel()
	var log logtest.Buffer
	a := startApp(t, "127.0.0.1:0")
	s := &stage{t: t}
	s.runWith(fmt.Sprintf(`
listeners: ["127.0.0.1:0"]
pools: {app: {policy: round_robin, upstreams: [%q, %q], health: {interval: 30s, fast_interval: 10s}}}`, "http://"+a.Addr, s.fine()),
		Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	s.available(2)
	a.Close()
	s.get(4)
	log.WaitFor(t, `msg="upstream unavailable" pool=app upstream=`+a.Addr+` left=1 probes=down breaker=closed operator=ready cause="The upstream refuses connections" reason=connect_refused`)
	s.order(s.status().Pools[0].Upstreams[1].Address, "drain")
	log.WaitFor(t, `operator=drain cause="An operator has drained the upstream"`)
}
