//! IpLinkSet, IpAddrAdd, IpRouteAddLink, IpRouteAddDefault.

use std::fs;
use std::net::IpAddr;

use container_sandbox::proto::{
    IpAddrAddRequest, IpAddrAddResponse, IpLinkSetRequest, IpLinkSetResponse, IpRouteAddDefaultRequest,
    IpRouteAddDefaultResponse, IpRouteAddLinkRequest, IpRouteAddLinkResponse,
};

use crate::error::{Context, Error, Result};
use crate::netlink::{self, Cidr, Route};

pub(super) fn set_link(request: &IpLinkSetRequest) -> Result<IpLinkSetResponse> {
    netlink::set_link(&request.interface, request.up, request.mtu)
        .context(|| format!("failed to set link {}", request.interface))?;
    Ok(IpLinkSetResponse {})
}

pub(super) fn add_address(request: &IpAddrAddRequest) -> Result<IpAddrAddResponse> {
    let name = &request.interface;
    if let Some(address) = given(Some(&request.ipv4_address)) {
        add_one(name, cidr(address, false)?)?;
    }
    if let Some(address) = given(request.ipv6_address.as_deref()) {
        let address = cidr(address, true)?;
        // An interface that has been given its address takes no other one from its network. A kernel without IPv6 has
        // no such settings, and says so when the address is added.
        for setting in ["accept_ra", "autoconf"] {
            let _ = fs::write(format!("/proc/sys/net/ipv6/conf/{name}/{setting}"), "0");
        }
        add_one(name, address)?;
    }
    Ok(IpAddrAddResponse {})
}

fn add_one(name: &str, address: Cidr) -> Result<()> {
    netlink::add_address(name, address)
        .context(|| format!("failed to add address {} to {name}", address.address))
}

pub(super) fn add_link_route(request: &IpRouteAddLinkRequest) -> Result<IpRouteAddLinkResponse> {
    let routes = [
        (
            false,
            given(Some(&request.dst_ipv4_addr)),
            given(Some(&request.src_ipv4_addr)),
        ),
        (
            true,
            given(request.dst_ipv6_addr.as_deref()),
            given(request.src_ipv6_addr.as_deref()),
        ),
    ];
    for (v6, to, from) in routes {
        if let Some(to) = to {
            let from = from
                .map(|from| cidr(from, v6))
                .transpose()?
                .map(|cidr| cidr.address);
            add_route(
                &request.interface,
                Route::Link {
                    to: cidr(to, v6)?,
                    from,
                },
            )?;
        }
    }
    Ok(IpRouteAddLinkResponse {})
}

pub(super) fn add_default_route(request: &IpRouteAddDefaultRequest) -> Result<IpRouteAddDefaultResponse> {
    let gateways = [
        (false, given(Some(&request.ipv4_gateway))),
        (true, given(request.ipv6_gateway.as_deref())),
    ];
    for (v6, gateway) in gateways {
        if let Some(gateway) = gateway {
            add_route(
                &request.interface,
                Route::Default {
                    gateway: cidr(gateway, v6)?.address,
                },
            )?;
        }
    }
    Ok(IpRouteAddDefaultResponse {})
}

fn add_route(name: &str, route: Route) -> Result<()> {
    netlink::add_route(name, route).context(|| format!("failed to add a route to {name}"))
}

/// A field that has something in it.
fn given(field: Option<&str>) -> Option<&str> {
    field.filter(|text| !text.is_empty())
}

/// An address of the family that a field is for.
fn cidr(text: &str, v6: bool) -> Result<Cidr> {
    let cidr = Cidr::parse(text).filter(|cidr| matches!(cidr.address, IpAddr::V6(_)) == v6);
    cidr.ok_or_else(|| Error::Invalid(format!("invalid address {text}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_not_mixed_up() {
        assert!(cidr("10.0.0.1/8", false).is_ok());
        assert!(cidr("10.0.0.1/8", true).is_err());
        assert!(cidr("fd00::1/64", true).is_ok());
        assert!(matches!(cidr("nonsense", false), Err(Error::Invalid(_))));
    }
}
