package web

// Forget makes the next page read all anew that is kept for a moment.
func (s *Server) Forget() {
	s.board.forget()
	s.crews.forget()
}
