package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/advice/finding"
)

// tight is the share of a limit from which its use is reported.
const tight = 0.8

// Local checks the limits of this machine. pid is the proxy's process, 0 if unknown.
func Local(pid int) finding.Report {
	var r finding.Report
	backlog(&r)
	ports(&r)
	conntrack(&r)
	if pid > 0 {
		descriptors(&r, pid)
	}
	return r
}

func localStep(r *finding.Report, name, format string, args ...any) {
	r.Steps = append(r.Steps, finding.Step{Subject: "this machine", Name: name, Result: fmt.Sprintf(format, args...)})
}

// numbers reads the numbers in a file of /proc. A missing file is no error, because not
// every kernel has every feature.
func numbers(r *finding.Report, file string) []int {
	b, err := os.ReadFile(file)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			r.NotKnown("%v", err)
		}
		return nil
	}
	var list []int
	for f := range strings.FieldsSeq(string(b)) {
		if n, err := strconv.Atoi(f); err == nil {
			list = append(list, n)
		}
	}
	return list
}

func backlog(r *finding.Report) {
	n := numbers(r, "/proc/sys/net/core/somaxconn")
	if len(n) != 1 {
		return
	}
	localStep(r, "backlog", "net.core.somaxconn is %d", n[0])
	if n[0] < 256 {
		r.Find(finding.Finding{
			Severity: finding.Notice, Confidence: finding.Certain, Code: "somaxconn", Reason: reason.ConnectTimeout,
			Seen:  fmt.Sprintf("net.core.somaxconn is %d", n[0]),
			Means: "no listener of this machine can queue more connections than this: in bursts, connections time out", Do: "raise it, then restart the listening programs",
			Directive: "sysctl -w net.core.somaxconn=4096",
		})
	}
}

// ports compares the number of sockets in TIME-WAIT with the number of local ports per
// destination.
func ports(r *finding.Report) {
	span := numbers(r, "/proc/sys/net/ipv4/ip_local_port_range")
	waiting := sockstat("tw")
	if len(span) != 2 || waiting < 0 {
		return
	}
	have := span[1] - span[0] + 1
	localStep(r, "ports", "%d local ports for connections to one address, %d connections in TIME-WAIT", have, waiting)
	if float64(waiting) <= tight*float64(have) {
		return
	}
	if to, n := mostWaiting(); float64(n) > tight*float64(have) {
		r.Find(finding.Finding{
			Severity: finding.Warning, Confidence: finding.Likely, Code: "ephemeral_ports", Reason: reason.ConnectUnreachable,
			Seen:  fmt.Sprintf("%d connections to %s are in TIME-WAIT, and there are %d local ports", n, to, have),
			Means: "each request opens and closes a connection; when the ports run out, connecting fails with \"cannot assign requested address\"",
			Do:    "reuse connections to upstreams, or widen the range", Directive: "sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"",
		})
	}
}

// sockstat returns one number of the TCP line of /proc/net/sockstat, -1 if it is
// missing.
func sockstat(name string) int {
	b, err := os.ReadFile("/proc/net/sockstat")
	if err != nil {
		return -1
	}
	for line := range strings.Lines(string(b)) {
		fields := strings.Fields(line)
		for i := 1; i+1 < len(fields) && fields[0] == "TCP:"; i += 2 {
			if n, err := strconv.Atoi(fields[i+1]); fields[i] == name && err == nil {
				return n
			}
		}
	}
	return -1
}

func conntrack(r *finding.Report) {
	have := numbers(r, "/proc/sys/net/netfilter/nf_conntrack_count")
	most := numbers(r, "/proc/sys/net/netfilter/nf_conntrack_max")
	if len(have) != 1 || len(most) != 1 || most[0] == 0 {
		return
	}
	localStep(r, "conntrack", "%d of %d connections tracked", have[0], most[0])
	if float64(have[0]) > tight*float64(most[0]) {
		r.Find(finding.Finding{
			Severity: finding.Warning, Confidence: finding.Certain, Code: "conntrack", Reason: reason.ConnectTimeout,
			Seen:  fmt.Sprintf("the firewall tracks %d of at most %d connections", have[0], most[0]),
			Means: "when the table is full, the firewall drops packets of new connections, and connecting times out", Do: "raise the limit, or do not track connections to upstreams",
			Directive: fmt.Sprintf("sysctl -w net.netfilter.nf_conntrack_max=%d", 2*most[0]),
		})
	}
}

// descriptors compares the number of open files of a process with its limit.
func descriptors(r *finding.Report, pid int) {
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		r.NotKnown("the open files of process %d: %v", pid, err)
		return
	}
	most := openFiles(pid)
	if most == 0 {
		r.NotKnown("the limit on open files of process %d", pid)
		return
	}
	comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	name := strings.TrimSpace(string(comm))
	localStep(r, "files", "%s (pid %d) has %d of at most %d files open", name, pid, len(open), most)
	if float64(len(open)) > tight*float64(most) {
		r.Find(finding.Finding{
			Severity: finding.Error, Confidence: finding.Certain, Code: "fd_limit", Reason: reason.ConnectUnreachable,
			Seen:  fmt.Sprintf("%s (pid %d) has %d of at most %d files open", name, pid, len(open), most),
			Means: "every connection is an open file; at the limit, no client can connect, and the proxy cannot connect to upstreams", Do: "raise the service's limit",
			Directive: fmt.Sprintf("LimitNOFILE=%d", max(65536, 4*most)),
		})
	}
}

// openFiles returns a process' soft limit on open files, 0 if unknown.
func openFiles(pid int) int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "Max open files"); ok {
			n, _ := strconv.Atoi(strings.Fields(rest)[0])
			return n
		}
	}
	return 0
}
