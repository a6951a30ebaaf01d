package doctor

// Who names the process that listens at an address, host:port or :port, with its id:
// "node (pid 4711)"; "" when there is none or it cannot be seen.
func Who(address string) string {
	all, err := tcpListeners()
	if err != nil {
		return ""
	}
	if l, taken := holder(all, address); taken {
		return processOf(l.inode)
	}
	return ""
}
