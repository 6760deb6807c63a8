"""
Offers and machines as rows of JSON, field by field as the real cloud shows them.

Units are the cloud's: memory in MB, networks in Mb/s, disk in GB, money in dollars, times in seconds since the epoch.
"""

from typing import Any

from orchestrator.sandbox.bill import storage_usd_hour
from orchestrator.sandbox.machine import Machine
from orchestrator.sandbox.market import Rig
from orchestrator.sandbox.sshd import LOOPBACK

Row = dict[str, Any]
OFFER_DAYS = 30
DAY_S = 86_400
CUT_OF_BID = 0.6
"""What an interruptible machine costs of the usual price."""

STORED_COLUMNS = frozenset(
    {
        "id",
        "label",
        "actual_status",
        "intended_status",
        "cur_state",
        "next_state",
        "gpu_name",
        "verification",
        "machine_id",
        "host_id",
        "image_uuid",
        "image_runtype",
        "start_date",
        "end_date",
        "geolocation",
        "is_bid",
        "status_msg",
        "public_ipaddr",
    },
)
"""What a listing can be filtered and ordered by; prices and counts are computed and cannot."""


def offer_row(rig: Rig, *, storage_gb: float, now: float, is_bid: bool) -> Row:
    """Describe what can be rented, priced with *storage_gb* of disk."""
    base = round(rig.dph_base * (CUT_OF_BID if is_bid else 1.0), 6)
    disk = round(storage_usd_hour(storage_gb, rig.storage_cost), 6)
    total = round(base + disk, 6)
    prices = _prices(base, disk)
    return {
        **_hardware(rig),
        "id": rig.ask_id,
        "ask_contract_id": rig.ask_id,
        "bundled_results": None,
        "disk_space": rig.disk_gb,
        "direct_port_count": 24,
        "dph_base": base,
        "dph_total": total,
        "dph_total_adj": total,
        "discounted_dph_total": total,
        "discounted_hourly": 0.0,
        "discount_rate": 0.0,
        "credit_discount_max": 0.0,
        "dlperf_per_dphtotal": round(rig.gpu.dlperf / total, 2),
        "flops_per_dphtotal": round(rig.gpu.tflops / total, 2),
        "vram_costperhour": round(base / rig.gpu.ram_mb, 8),
        "min_bid": round(rig.dph_base * CUT_OF_BID, 6),
        "is_bid": is_bid,
        "storage_total_cost": disk,
        "start_date": now - 40 * DAY_S,
        "end_date": now + OFFER_DAYS * DAY_S,
        "duration": float(OFFER_DAYS * DAY_S),
        "rentable": True,
        "rented": False,
        "gpu_ids": [rig.index],
        "rn": 1,
        "score": round(rig.gpu.dlperf * rig.reliability / total, 4),
        "reliability": rig.reliability,
        "reliability_mult": rig.reliability,
        "expected_reliability": rig.reliability,
        "search": prices,
        "instance": prices,
        "time_remaining": "",
        "time_remaining_isbid": "",
        "internet_up_cost_per_tb": 0.0,
        "internet_down_cost_per_tb": 0.0,
    }


def instance_row(machine: Machine, *, now: float, credit: float) -> Row:
    """Describe a machine of the account. Ports are null until it runs, and the address ends in a newline."""
    rig, order, meter = machine.rig, machine.order, machine.meter
    is_running = machine.status == "running"
    gpu, prices = machine.gpu, _prices(meter.gpu_usd_hour, meter.disk_usd_hour)
    return {
        **_hardware(rig),
        "id": machine.id,
        "actual_status": machine.status,
        "intended_status": "stopped" if machine.wanted == "stopped" else "running",
        "cur_state": "stopped" if machine.wanted == "stopped" else "running",
        "next_state": "stopped" if machine.wanted == "stopped" else "running",
        "status_msg": machine.message,
        "label": machine.label,
        "template_id": None,
        "template_hash_id": None,
        "template_name": None,
        "image_uuid": order.image,
        "image_args": list(order.args),
        "image_runtype": order.runtype,
        "extra_env": [[name, value] for name, value in order.env.items()],
        "onstart": order.onstart,
        "jupyter_token": "",
        "gpu_name": gpu.name,
        "gpu_ram": gpu.ram_mb,
        "gpu_totalram": gpu.ram_mb,
        "gpu_util": 0.0 if is_running else None,
        "gpu_temp": 38.0 if is_running else None,
        "public_ipaddr": f"{LOOPBACK}\n",
        "local_ipaddrs": f"{LOOPBACK} \n",
        "ssh_host": LOOPBACK,
        "ssh_idx": "1",
        "ssh_port": _ssh_port(machine),
        "machine_dir_ssh_port": machine.ssh_port,
        "ports": _ports(machine),
        "direct_port_count": 24,
        "direct_port_start": -1,
        "direct_port_end": -1,
        "start_date": meter.started,
        "end_date": meter.started + OFFER_DAYS * DAY_S,
        "duration": meter.started + OFFER_DAYS * DAY_S - now,
        "uptime_mins": round((now - meter.started) / 60, 2) if is_running else None,
        "dph_base": round(meter.gpu_usd_hour, 6),
        "dph_total": round(meter.usd_hour, 6),
        "min_bid": round(rig.dph_base * CUT_OF_BID, 6),
        "is_bid": False,
        "storage_total_cost": round(meter.disk_usd_hour, 6),
        "search": prices,
        "instance": prices,
        "disk_space": order.disk_gb,
        "disk_usage": 0.0,
        "disk_util": 0.0,
        "mem_limit": None,
        "mem_usage": None,
        "vmem_usage": None,
        "cpu_util": 0.0,
        "rentable": False,
        "credit_balance": credit,
        "credit_discount": None,
        "credit_discount_max": 0.0,
        "client_run_time": 1.0,
        "host_run_time": 1.0,
        "country_code": None,
        "time_remaining": "",
        "time_remaining_isbid": "",
        "external": False,
        "score": 0.0,
        "dlperf_per_dphtotal": round(gpu.dlperf / meter.usd_hour, 2),
        "flops_per_dphtotal": round(gpu.tflops / meter.usd_hour, 2),
        "vram_costperhour": round(meter.gpu_usd_hour / gpu.ram_mb, 8),
        "volume_info": [],
    }


def _hardware(rig: Rig) -> Row:
    gpu = rig.gpu
    return {
        "machine_id": rig.id,
        "host_id": rig.host_id,
        "bundle_id": 40_000 + rig.index,
        "hosting_type": 0,
        "gpu_name": gpu.name,
        "num_gpus": 1,
        "gpu_frac": 1.0,
        "gpu_ram": gpu.ram_mb,
        "gpu_total_ram": gpu.ram_mb,
        "gpu_arch": "nvidia",
        "gpu_lanes": 16,
        "gpu_mem_bw": gpu.mem_bw,
        "gpu_max_power": 450.0,
        "gpu_max_temp": 88.0,
        "gpu_display_active": False,
        "bw_nvlink": 0.0,
        "compute_cap": gpu.compute_cap,
        "total_flops": gpu.tflops,
        "dlperf": gpu.dlperf,
        "cuda_max_good": rig.cuda,
        "driver_version": rig.driver,
        "driver_vers": int("".join(part.zfill(3) for part in rig.driver.split("."))),
        "cpu_arch": "amd64",
        "cpu_name": "EPYC 7302P",
        "cpu_cores": rig.cpu_cores,
        "cpu_cores_effective": float(rig.cpu_cores),
        "cpu_ghz": 3.0,
        "cpu_ram": rig.cpu_ram_mb,
        "has_avx": 1,
        "mobo_name": "ROMED8-2T",
        "os_version": "22.04",
        "pci_gen": 4.0,
        "pcie_bw": 22.4,
        "disk_name": "nvme",
        "disk_bw": 3200.0,
        "storage_cost": rig.storage_cost,
        "inet_down": rig.inet_down,
        "inet_up": rig.inet_up,
        "inet_down_cost": 0.0,
        "inet_up_cost": 0.0,
        "reliability2": rig.reliability,
        "verification": "verified" if rig.verified else "unverified",
        "vericode": 1 if rig.verified else 0,
        "is_vm_deverified": False,
        "vms_enabled": False,
        "geolocation": rig.geolocation,
        "geolocode": None,
        "static_ip": True,
        "public_ipaddr": LOOPBACK,
        "external": None,
        "hostname": None,
        "logo": "",
        "webpage": None,
        "resource_type": "gpu",
        "cluster_id": None,
        "avail_vol_ask_id": None,
        "avail_vol_dph": None,
        "avail_vol_size": None,
        "nw_disk_min_bw": None,
        "nw_disk_max_bw": None,
        "nw_disk_avg_bw": None,
    }


def _prices(base: float, disk: float) -> Row:
    total = round(base + disk, 6)
    return {
        "gpuCostPerHour": base,
        "diskHour": disk,
        "totalHour": total,
        "discountTotalHour": 0.0,
        "discountedTotalPerHour": total,
    }


def _ports(machine: Machine) -> Row | None:
    """Direct logins alone have a port of their own; the others go by `ssh_host` and `ssh_port`."""
    if machine.status != "running" or "ssh_direc" not in machine.order.runtype:
        return None
    any_address = ("0.0.0.0", "::")  # noqa: S104  (what the wire says; we listen on loopback)
    return {"22/tcp": [{"HostIp": address, "HostPort": str(machine.ssh_port)} for address in any_address]}


def _ssh_port(machine: Machine) -> int:
    """Where Jupyter has the port that is told, SSH is one above."""
    return machine.ssh_port - ("jupyter" in machine.order.runtype)
