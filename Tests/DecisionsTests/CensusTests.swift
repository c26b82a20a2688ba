import Testing

@testable import Decisions

struct CensusTests {
  private let here = Census.Address(high: 0, low: 0x7F00_0001)
  private let there = Census.Address(high: 0, low: 0x7F00_0002)

  @Test func `the connection limit admits its number; one more is told and counted until it closes`() {
    var census = Census(Census.Limits(connections: 2, connectionsPerAddress: 10, sessions: 1))
    #expect(census.connectionOpened(from: here) == nil)
    #expect(census.connectionOpened(from: there) == nil)
    #expect(census.connectionOpened(from: nil) == .connections(limit: 2))
    #expect(census.connections == 3)
    census.connectionClosed(from: nil)
    #expect(census.connections == 2)
    census.connectionClosed(from: here)
    #expect(census.connectionOpened(from: here) == nil)
  }

  @Test func `the limit per address holds for each address alone and not for unix peers`() {
    var census = Census(Census.Limits(connections: 100, connectionsPerAddress: 2, sessions: 1))
    #expect(census.connectionOpened(from: here) == nil)
    #expect(census.connectionOpened(from: here) == nil)
    #expect(census.connectionOpened(from: here) == .connectionsPerAddress(limit: 2))
    #expect(census.connectionOpened(from: there) == nil)
    for _ in 0..<5 { #expect(census.connectionOpened(from: nil) == nil) }
    census.connectionClosed(from: here)
    #expect(census.connectionOpened(from: here) == .connectionsPerAddress(limit: 2), "the refused one still counts")
    for _ in 0..<2 { census.connectionClosed(from: here) }
    #expect(census.connectionOpened(from: here) == nil)
  }

  @Test func `sessions are refused at their limit and their numbers are used again`() {
    var census = Census(Census.Limits(connections: 1, connectionsPerAddress: 1, sessions: 3))
    let numbers = (0..<3).map { _ in census.openSession() }
    #expect(numbers == [0, 1, 2])
    #expect(census.openSession() == nil)
    #expect(census.sessions == 3)
    census.closeSession(1)
    #expect(census.openSession() == 1)
    #expect(census.openSession() == nil)
  }
}
