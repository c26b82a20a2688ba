import Testing

@testable import Decisions

struct CensusTests {
  private let here = Census.Address(high: 0, low: 0x7F00_0001)
  private let there = Census.Address(high: 0, low: 0x7F00_0002)

  @Test func `the connection limit admits its number, and one more when one has gone`() {
    var census = Census(Census.Limits(connections: 2, connectionsPerAddress: 10, sessions: 1))
    #expect(census.connectionOpened(from: here) == .welcome)
    #expect(census.connectionOpened(from: there) == .welcome)
    #expect(census.connectionOpened(from: nil) == .refused(.connections(limit: 2)))
    #expect(census.connections == 2, "who is refused takes no place")
    census.connectionClosed(from: here)
    #expect(census.connectionOpened(from: here) == .welcome)
  }

  @Test func `the limit per address holds for each address alone and not for unix peers`() {
    var census = Census(Census.Limits(connections: 100, connectionsPerAddress: 2, sessions: 1))
    #expect(census.connectionOpened(from: here) == .welcome)
    #expect(census.connectionOpened(from: here) == .welcome)
    #expect(census.connectionOpened(from: here) == .refused(.connectionsPerAddress(limit: 2)))
    #expect(census.connectionOpened(from: there) == .welcome)
    for _ in 0..<5 { #expect(census.connectionOpened(from: nil) == .welcome) }
    census.connectionClosed(from: here, wasRefused: true)
    #expect(census.connectionOpened(from: here) == .refused(.connectionsPerAddress(limit: 2)))
    census.connectionClosed(from: here)
    #expect(census.connectionOpened(from: here) == .welcome)
  }

  @Test func `so many are told that they are refused at a time, the rest is turned away`() {
    var census = Census(Census.Limits(connections: 1, connectionsPerAddress: 10, sessions: 1))
    #expect(census.connectionOpened(from: here) == .welcome)
    for _ in 0..<Census.refusedLimit {
      #expect(census.connectionOpened(from: here) == .refused(.connections(limit: 1)))
    }
    #expect(census.connectionOpened(from: here) == .turnedAway)
    census.connectionClosed(from: here, wasRefused: true)
    #expect(census.connectionOpened(from: here) == .refused(.connections(limit: 1)))
    #expect(census.connectionOpened(from: here) == .turnedAway)
    #expect(census.connections == 1)
  }

  @Test func `sessions are refused at their limit and their numbers are used again`() {
    var census = Census(Census.Limits(connections: 1, connectionsPerAddress: 1, sessions: 3))
    let numbers = (0..<3).map { _ in census.openSession() }
    #expect(numbers == [.opened(0), .opened(1), .opened(2)])
    #expect(census.openSession() == .sessions(limit: 3))
    #expect(census.sessions == 3)
    census.closeSession(1)
    #expect(census.openSession() == .opened(1))
    #expect(census.openSession() == .sessions(limit: 3))
  }

  @Test func `a principal's sessions are counted apart, and a lowered limit ends none`() {
    var census = Census(Census.Limits(connections: 9, connectionsPerAddress: 9, sessions: 5))
    census.principalLimits = [PrincipalLimit(sessions: 2), PrincipalLimit()]
    #expect(census.openSession(principal: 0) == .opened(0))
    #expect(census.openSession(principal: 0) == .opened(1))
    #expect(census.openSession(principal: 0) == .principalSessions(limit: 2))
    #expect(census.openSession(principal: 1) == .opened(2), "another principal has no limit of its own")
    #expect(census.openSession(principal: 7) == .opened(3), "and neither has one that came later")
    census.principalLimits = [PrincipalLimit(sessions: 1)]
    census.closeSession(0, principal: 0)
    #expect(census.openSession(principal: 0) == .principalSessions(limit: 1))
    census.closeSession(1, principal: 0)
    #expect(census.openSession(principal: 0) == .opened(1))
  }
}
