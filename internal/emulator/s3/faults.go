package s3

import "time"

// Fault is what goes wrong with one request.
type Fault struct {
	// Status and Code refuse the request; Header are more headers of the answer.
	Status int
	Code   string
	Header map[string]string
	// ClockAhead is by how much the service's clock is ahead of ours.
	ClockAhead time.Duration

	// After is how many bytes of a body come before Stall, Short or Replace; 0 = all.
	After   int
	Stall   bool   // nothing more until the client leaves; a part is not kept
	Short   bool   // the connection ends; of an upload's completion, before its answer
	Replace []byte // the object is replaced by these bytes, and the body goes on
	// The answer is of another range, of the whole, a page, or of another object.
	OtherRange, WholeBody, Page, OtherETag, OtherVersion bool

	// DamageUpload changes a byte of what was sent.
	DamageUpload bool
	// LosePart confirms a part without keeping it; HidePart leaves one out of the list.
	LosePart bool
	HidePart int
	// ErrorBody answers 200 with an error in its body.
	ErrorBody bool
}

// Faults are the faults of an action's next requests, one each, and those of all others.
type Faults struct {
	Script map[string][]Fault
	Always map[string]Fault
}

// Set replaces all faults.
func (s *Server) Set(f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = f
}

// next takes the fault of an action's next request.
func (f *Faults) next(action string) Fault {
	if script := f.Script[action]; len(script) > 0 {
		f.Script[action] = script[1:]
		return script[0]
	}
	if fault, ok := f.Always[action]; ok {
		return fault
	}
	return f.Always["*"]
}
