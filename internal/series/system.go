package series

import (
	"os"
	"strconv"
	"strings"
)

// systemMetrics has the metrics that Linux reports for a process. Other systems have
// none.
var systemMetrics = [...]struct{ name, help string }{
	{"process_cpu_seconds_total", "Total user and system CPU time spent in seconds."},
	{"process_max_fds", "Maximum number of open file descriptors."},
	{"process_open_fds", "Number of open file descriptors."},
	{"process_resident_memory_bytes", "Resident memory size in bytes."},
	{"process_start_time_seconds", "Start time of the process since unix epoch in seconds."},
	{"process_virtual_memory_bytes", "Virtual memory size in bytes."},
	{"process_virtual_memory_max_bytes", "Maximum amount of virtual memory available in bytes."},
}

// ticks is the number of clock ticks per second in /proc. Linux reports the same on all
// machines.
const ticks = 100

// Fields of /proc/self/stat after the program's name, see proc_pid_stat(5).
const (
	statUser    = 11
	statSystem  = 12
	statStart   = 19
	statVirtual = 20
	statPages   = 21
)

// systemValues returns the values that are available, by name.
func systemValues() map[string]float64 {
	values := map[string]float64{}
	if stat := statFields(); len(stat) > statPages {
		values["process_cpu_seconds_total"] = (number64(stat[statUser]) + number64(stat[statSystem])) / ticks
		values["process_virtual_memory_bytes"] = number64(stat[statVirtual])
		values["process_resident_memory_bytes"] = number64(stat[statPages]) * float64(os.Getpagesize())
		if boot, ok := after("/proc/stat", "btime "); ok {
			values["process_start_time_seconds"] = number64(boot) + number64(stat[statStart])/ticks
		}
	}
	if open, err := os.ReadDir("/proc/self/fd"); err == nil {
		values["process_open_fds"] = float64(len(open))
	}
	if limit, ok := after("/proc/self/limits", "Max open files"); ok {
		values["process_max_fds"] = number64(limit)
	}
	if limit, ok := after("/proc/self/limits", "Max address space"); ok {
		values["process_virtual_memory_max_bytes"] = number64(limit)
	}
	return values
}

func statFields() []string {
	text, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return nil
	}
	_, rest, _ := strings.Cut(string(text[strings.LastIndexByte(string(text), ')')+1:]), " ")
	return strings.Fields(rest)
}

// after returns the first word after a prefix of a line in a file.
func after(file, prefix string) (string, bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", false
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, prefix); ok {
			word, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
			return word, word != ""
		}
	}
	return "", false
}

// number64 parses a number. "unlimited" is the largest one on Linux.
func number64(word string) float64 {
	if word == "unlimited" {
		return 1<<64 - 1
	}
	v, _ := strconv.ParseFloat(word, 64)
	return v
}
