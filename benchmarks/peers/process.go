package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// clockTick is the unit of CPU time in /proc, fixed at 100 Hz on Linux.
const clockTick = 10 * time.Millisecond

// process is a running program with all its children.
type process struct {
	cmd *exec.Cmd
	out bytes.Buffer
}

func start(args ...string) (*process, error) {
	p := &process{cmd: exec.Command(args[0], args[1:]...)}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	return p, nil
}

// stop ends the process and its children.
func (p *process) stop() {
	if p == nil {
		return
	}
	syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	p.cmd.Wait()
}

// members returns the process and its children, with the fields of their stat
// after the name.
func (p *process) members() (map[string][]string, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(stats) == 0 {
		return nil, errors.Join(err, errors.New("no /proc to read from"))
	}
	list := map[string][]string{}
	for _, path := range stats {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue // the process has ended meanwhile
		}
		// The name in parentheses may contain anything. The fields follow it.
		_, rest, ok := strings.Cut(string(raw), ") ")
		fields := strings.Fields(rest)
		if ok && len(fields) >= 13 && fields[2] == strconv.Itoa(p.cmd.Process.Pid) {
			list[filepath.Dir(path)] = fields
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s has ended: %s", p.cmd.Args[0], p.out.String())
	}
	return list, nil
}

// cpu returns the user and system time so far.
func (p *process) cpu() (total time.Duration, err error) {
	list, err := p.members()
	for _, fields := range list {
		for _, f := range fields[11:13] {
			n, err := strconv.ParseInt(f, 10, 64)
			if err != nil {
				return 0, err
			}
			total += time.Duration(n) * clockTick
		}
	}
	return total, err
}

// resident returns the present memory in bytes. Memory shared between processes counts
// once.
func (p *process) resident() (int64, error) { return p.sum("smaps_rollup", "Pss:") }

// peak returns the sum of the largest resident sizes of all processes. Memory shared
// between them counts several times.
func (p *process) peak() (int64, error) { return p.sum("status", "VmHWM:") }

func (p *process) sum(file, field string) (total int64, err error) {
	list, err := p.members()
	for dir := range list {
		raw, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			return 0, err
		}
		_, rest, _ := strings.Cut(string(raw), "\n"+field)
		line, _, _ := strings.Cut(rest, "\n")
		n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(line, "kB")), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s of %s: %w", field, dir, err)
		}
		total += n << 10
	}
	return total, err
}

// freeAddr returns an unused loopback address.
func freeAddr() (addr string, err error) {
	err = freeAddrs(&addr)
	return addr, err
}

// freeAddrs finds all addresses at the same time, because an address that is found and
// not yet used may be found again.
func freeAddrs(addrs ...*string) error {
	for _, addr := range addrs {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer l.Close()
		*addr = l.Addr().String()
	}
	return nil
}
