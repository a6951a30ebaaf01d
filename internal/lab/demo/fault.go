package demo

// Fault is what is wrong with a backend.
type Fault uint8

const (
	NoFault     Fault = iota
	Refuse            // refuses new connections and ends those it has after their next answer
	BadGateway        // answers 502
	Unavailable       // answers 503 to one request in three
	CloseEarly        // closes the connection instead of responding
	CutHeader         // closes the connection within the response header
	Slow              // takes 200 ms longer
	Freeze            // accepts and takes requests, the health checks too, and answers when it thaws
	CloseIdle         // closes a connection that was unused for 5 ms when a request arrives on it
	Restart           // breaks all connections and refuses new ones
	SickHealth        // answers 500 to health checks and works otherwise
	numFaults
)

var faults = [numFaults]string{
	NoFault:     "-",
	Refuse:      "refuses connections",
	BadGateway:  "answers 502",
	Unavailable: "503 to one in three",
	CloseEarly:  "closes, no answer",
	CutHeader:   "cuts the header",
	Slow:        "200 ms slower",
	Freeze:      "frozen",
	CloseIdle:   "closes idle ones",
	Restart:     "restarting",
	SickHealth:  "health check 500",
}

// String says it in a few plain words.
func (f Fault) String() string { return faults[f] }

// listens reports whether a backend with this fault accepts connections.
func (f Fault) listens() bool { return f != Refuse && f != Restart }
