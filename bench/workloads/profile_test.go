package workloads

import "testing"

func TestShortProfile(t *testing.T) {
	got := shortProfile(`File: gateway
Duration: 6s, Total samples = 3.20s (53.30%)
Showing nodes accounting for 1.57s, 49.06% of 3.20s total
      flat  flat%   sum%        cum   cum%
         0     0%     0%      3.02s 94.38%  github.com/valyala/fasthttp.(*Server).serveConn
         0     0% 43.44%      1.29s 40.31%  github.com/lectiospace/lectern/internal/proxy/stream.(*body).WriteTo
         0     0% 43.44%      1.22s 38.12%  net.(*rawConn).Write
     0.01s  0.31% 43.75%      1.03s 32.19%  syscall.sendfile (inline)
         0     0% 43.75%      1.03s 32.19%  syscall.Sendfile (inline)
`)
	want := `Duration: 6s, Total samples = 3.20s (53.30%)
   flat  callees too
     0%   94.38%  github.com/valyala/fasthttp.(*Server).serveConn
     0%   40.31%  internal/proxy/stream.(*body).WriteTo
  0.31%   32.19%  syscall.sendfile
`
	if got != want {
		t.Errorf("%q\nis not\n%q", got, want)
	}
}
