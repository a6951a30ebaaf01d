package gate

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// measuring is the environment variable that makes a process of this test binary a
// goodgate for measurements, with the configuration in its value.
const measuring = "GOODGATE_TEST_MEASURED"

// measured is a goodgate process that reports its memory. It contains no clients, and
// no memory of earlier ones.
type measured struct {
	address string
	in      io.Writer
	out     *bufio.Reader
}

func startMeasured(t *testing.T, config string) *measured {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestMeasured$", "-test.timeout=5m")
	cmd.Env = append(os.Environ(), measuring+"="+config)
	cmd.Stderr = os.Stderr
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		io.Copy(io.Discard, out)
		cmd.Wait()
	})
	m := &measured{in: in, out: bufio.NewReader(out)}
	m.address = m.line(t)
	return m
}

// memory returns how many bytes of heap and stacks are in use once that no longer
// changes.
func (m *measured) memory(t *testing.T) int64 {
	t.Helper()
	io.WriteString(m.in, "\n")
	n, err := strconv.ParseInt(m.line(t), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (m *measured) line(t *testing.T) string {
	t.Helper()
	s, err := m.out.ReadString('\n')
	if err != nil {
		t.Fatal("the process is gone: ", err)
	}
	return strings.TrimSpace(s)
}

// TestMeasured is that process.
func TestMeasured(t *testing.T) {
	config := os.Getenv(measuring)
	if config == "" {
		t.Skip("run by other tests")
	}
	g, err := New(parse(t, config), Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx, nil, func(a []string) { fmt.Println(a[0]) }) }()
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		fmt.Println(settledMemory())
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// settledMemory looks until several looks in a row have found the same.
func settledMemory() int64 {
	const looks = 3
	last, same := int64(0), 0
	for same < looks {
		time.Sleep(50 * time.Millisecond) // between looks; passes no judgement
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		now := int64(m.HeapAlloc + m.StackInuse)
		if same++; now > last+last/200 || now < last-last/200 {
			same = 0
		}
		last = now
	}
	return last
}
