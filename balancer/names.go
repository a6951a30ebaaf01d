package balancer

// String returns the word used in logs.
func (h Health) String() string {
	switch h {
	case Up:
		return "up"
	case Down:
		return "down"
	case Draining:
		return "draining"
	}
	return "checking"
}

// String returns the word used in logs.
func (s BreakerState) String() string {
	switch s {
	case Open:
		return "open"
	case HalfOpen:
		return "half_open"
	}
	return "closed"
}

// String returns the word used in logs.
func (o Operator) String() string {
	switch o {
	case Drain:
		return "drain"
	case Off:
		return "off"
	}
	return "ready"
}
