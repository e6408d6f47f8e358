//! Options of UDP sockets.

use std::net::{self, Ipv4Addr, Ipv6Addr};

use crate::error::Result;
use crate::world::net::datagram::DatagramSocket;

/// # Options
///
/// Each of these fails with the [`io::Error`](std::io::Error) of the system call.
/// [`socket2::SockRef`](https://docs.rs/socket2) sets options that have no method here.
impl DatagramSocket<net::UdpSocket> {
    /// Whether datagrams can be sent to a broadcast address (`SO_BROADCAST`).
    #[track_caller]
    pub fn broadcast(&self) -> Result<bool> {
        Ok(self.options().broadcast()?)
    }

    /// Sets what [`broadcast`](Self::broadcast) returns.
    #[track_caller]
    pub fn set_broadcast(&self, on: bool) -> Result<()> {
        Ok(self.options().set_broadcast(on)?)
    }

    /// Sets whether several sockets can be bound to the same address (`SO_REUSEADDR`), before it is
    /// bound. On Linux each of them receives what comes for a multicast group, and the last one what
    /// comes for it alone.
    #[track_caller]
    pub fn set_reuse_address(&self, reuse: bool) -> Result<()> {
        Ok(self.options().set_reuse_address(reuse)?)
    }

    /// Sets whether several sockets, of several threads or processes, share an address
    /// (`SO_REUSEPORT`), before it is bound. Linux distributes the datagrams by a hash of both
    /// addresses.
    #[cfg(not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin")))]
    #[track_caller]
    pub fn set_reuse_port(&self, reuse: bool) -> Result<()> {
        Ok(self.options().set_reuse_port(reuse)?)
    }

    /// Sets whether a socket for IPv6 leaves IPv4 to others (`IPV6_V6ONLY`), before it is bound.
    #[track_caller]
    pub fn set_only_v6(&self, only: bool) -> Result<()> {
        Ok(self.options().set_only_v6(only)?)
    }

    /// How many routers a datagram may pass (`IP_TTL`).
    #[track_caller]
    pub fn ttl(&self) -> Result<u32> {
        Ok(self.options().ttl_v4()?)
    }

    /// Sets what [`ttl`](Self::ttl) returns.
    #[track_caller]
    pub fn set_ttl(&self, ttl: u32) -> Result<()> {
        Ok(self.options().set_ttl_v4(ttl)?)
    }

    /// Joins a multicast group, on the interface with this address; with
    /// [`UNSPECIFIED`](Ipv4Addr::UNSPECIFIED) the system chooses the interface.
    ///
    /// The socket receives what is sent to the group and to the port that it is bound to. Bind it to
    /// `0.0.0.0` or, on systems that allow it, to the address of the group.
    #[track_caller]
    pub fn join_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> Result<()> {
        Ok(self.options().join_multicast_v4(&group, &interface)?)
    }

    /// Leaves a multicast group that was joined with the same arguments.
    #[track_caller]
    pub fn leave_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> Result<()> {
        Ok(self.options().leave_multicast_v4(&group, &interface)?)
    }

    /// Sets through which interface datagrams for multicast groups are sent, by its address
    /// (`IP_MULTICAST_IF`).
    #[track_caller]
    pub fn set_multicast_if_v4(&self, interface: Ipv4Addr) -> Result<()> {
        Ok(self.options().set_multicast_if_v4(&interface)?)
    }

    /// Whether this machine receives what the socket sends to groups (`IP_MULTICAST_LOOP`).
    #[track_caller]
    pub fn multicast_loop_v4(&self) -> Result<bool> {
        Ok(self.options().multicast_loop_v4()?)
    }

    /// Sets what [`multicast_loop_v4`](Self::multicast_loop_v4) returns.
    #[track_caller]
    pub fn set_multicast_loop_v4(&self, on: bool) -> Result<()> {
        Ok(self.options().set_multicast_loop_v4(on)?)
    }

    /// How many routers a datagram for a group may pass (`IP_MULTICAST_TTL`): at first 1, so that it
    /// does not leave the local network.
    #[track_caller]
    pub fn multicast_ttl_v4(&self) -> Result<u32> {
        Ok(self.options().multicast_ttl_v4()?)
    }

    /// Sets what [`multicast_ttl_v4`](Self::multicast_ttl_v4) returns.
    #[track_caller]
    pub fn set_multicast_ttl_v4(&self, ttl: u32) -> Result<()> {
        Ok(self.options().set_multicast_ttl_v4(ttl)?)
    }

    /// Joins a multicast group, on the interface with this index; with 0 the system chooses the
    /// interface. See [`join_multicast_v4`](Self::join_multicast_v4).
    #[track_caller]
    pub fn join_multicast_v6(&self, group: Ipv6Addr, interface: u32) -> Result<()> {
        Ok(self.options().join_multicast_v6(&group, interface)?)
    }

    /// Leaves a multicast group that was joined with the same arguments.
    #[track_caller]
    pub fn leave_multicast_v6(&self, group: Ipv6Addr, interface: u32) -> Result<()> {
        Ok(self.options().leave_multicast_v6(&group, interface)?)
    }

    /// Sets through which interface datagrams for multicast groups are sent, by its index
    /// (`IPV6_MULTICAST_IF`).
    #[track_caller]
    pub fn set_multicast_if_v6(&self, interface: u32) -> Result<()> {
        Ok(self.options().set_multicast_if_v6(interface)?)
    }

    /// Sets whether this machine receives what the socket sends to groups (`IPV6_MULTICAST_LOOP`).
    #[track_caller]
    pub fn set_multicast_loop_v6(&self, on: bool) -> Result<()> {
        Ok(self.options().set_multicast_loop_v6(on)?)
    }
}
