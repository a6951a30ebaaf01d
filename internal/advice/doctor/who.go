package doctor

// Who returns the name and id of the process that listens on an address, host:port or
// :port, such as "node (pid 4711)"; "" if there is none or it is not visible.
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
