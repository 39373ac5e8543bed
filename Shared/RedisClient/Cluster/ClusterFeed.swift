import Logging
import NIOCore

/// The channels of a cluster, each at the master that publishes it, by one connection to every master. Confined to one event loop.
final class ClusterFeed {
  /// What one connection tells, until its node is a master no more.
  private final class Ear: RedisSubscriptionReceiver {
    private let feed: ClusterFeed
    var isOpen = true

    init(_ feed: ClusterFeed) { self.feed = feed }

    func subscribed(channel: String) { if isOpen { feed.receiver.subscribed(channel: channel) } }
    func message(channel: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer) {
      if isOpen { feed.receiver.message(channel: channel, payload: payload) }
    }
    func readCompleted() { if isOpen { feed.receiver.readCompleted() } }
    func disconnected() { if isOpen { feed.lost() } }
  }

  private struct Link {
    let ear: Ear
    let dispatcher: SubscriptionDispatcher
    let dismiss: AsyncStream<Void>.Continuation
  }

  private struct Place {
    let slot: Int
    var master: RedisAddress?
  }

  let services = MemberServices()
  private let configuration: RedisConfiguration
  private let eventLoop: any EventLoop
  private let logger: Logger
  private let receiver: any RedisSubscriptionReceiver
  private let home: @Sendable (String) -> String
  private var map: SlotMap?
  private var links: [RedisAddress: Link] = [:]
  private var places: [String: Place] = [:]
  /// Told when a connection is lost.
  private var alarm: AsyncStream<Void>.Continuation?

  init(
    configuration: RedisConfiguration, eventLoop: any EventLoop, receiver: any RedisSubscriptionReceiver, logger: Logger,
    home: @escaping @Sendable (String) -> String
  ) {
    (self.configuration, self.eventLoop, self.receiver, self.logger, self.home) = (configuration, eventLoop, receiver, logger, home)
  }

  func subscribe(_ channel: String) {
    let slot = HashSlot.of(home(channel).utf8)
    let place = Place(slot: slot, master: map?.master(of: slot))
    places[channel] = place
    if let master = place.master { links[master]?.dispatcher.subscribe(channel) }
  }

  func unsubscribe(_ channel: String) {
    guard let place = places.removeValue(forKey: channel), let master = place.master else { return }
    links[master]?.dispatcher.unsubscribe(channel)
  }

  /// Takes a map over: connects to new masters, leaves those that are none any more, and takes each channel to where it is published now.
  func apply(_ map: SlotMap) {
    self.map = map
    for (address, link) in links where !map.masters.contains(address) { close(link, at: address) }
    for address in map.masters where links[address] == nil { open(address) }
    var hasMoved = false
    for (channel, place) in places {
      let master = map.master(of: place.slot)
      guard master != place.master else { continue }
      if let old = place.master {
        links[old]?.dispatcher.unsubscribe(channel)
        hasMoved = true
      }
      places[channel]?.master = master
      if let master { links[master]?.dispatcher.subscribe(channel) }
    }
    if hasMoved { suspectAll() }
  }

  /// Whether every master is connected and every channel has one.
  var isWhole: Bool {
    map != nil && links.values.allSatisfy { $0.dispatcher.isConnected } && places.values.allSatisfy { $0.master != nil }
  }

  /// Yields when a connection is lost from now on. Takes the place of the stream before.
  func nextLoss() -> AsyncStream<Void> {
    let (losses, alarm) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    self.alarm = alarm
    return losses
  }

  func closeAll() { for (address, link) in links { close(link, at: address) } }

  private func open(_ address: RedisAddress) {
    let ear = Ear(self)
    let link = SubscriptionLink(configuration.at(address), eventLoop: eventLoop, receiver: ear, logger: logger)
    links[address] = Link(ear: ear, dispatcher: link.dispatcher.value, dismiss: services.add(link))
  }

  private func close(_ link: Link, at address: RedisAddress) {
    link.ear.isOpen = false
    link.dismiss.finish()
    links[address] = nil
  }

  private func lost() {
    suspectAll()
    alarm?.yield()
  }

  /// A message may have been lost on its way from one master to another, and none of the connections tells of that: so all channels are confirmed anew.
  private func suspectAll() {
    receiver.disconnected()
    for link in links.values { link.dispatcher.confirmAnew() }
  }
}
