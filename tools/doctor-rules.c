/* SPDX-License-Identifier: BSD-3-Clause */
/* Which rules there are, in the order in which their findings are shown. */
#include "doctor-rules.h"

static doctor_rule *const of_host[] = {
	doctor_rule_jit,     doctor_rule_optmem,    doctor_rule_cpus,	       doctor_rule_container,  doctor_rule_seccomp,
	doctor_rule_steal,   doctor_rule_squeezed,  doctor_rule_backlog,       doctor_rule_flow_limit, doctor_rule_ring_memory,
	doctor_rule_memlock, doctor_rule_hugepages, doctor_rule_fragmentation, doctor_rule_irqbalance, doctor_rule_rmem,
};

static doctor_rule *const of_interface[] = {
	doctor_rule_captures,	  doctor_rule_missing,	    doctor_rule_down,
	doctor_rule_path,	  doctor_rule_attached,	    doctor_rule_xdp,
	doctor_rule_xdp_outgoing, doctor_rule_xdp_frames,   doctor_rule_nic_ring,
	doctor_rule_missed,	  doctor_rule_errors,	    doctor_rule_softirq,
	doctor_rule_queues,	  doctor_rule_rss,	    doctor_rule_irq_node,
	doctor_rule_irq_spread,	  doctor_rule_lro,	    doctor_rule_gro,
	doctor_rule_vlan,	  doctor_rule_segmentation, doctor_rule_coalescing,
	doctor_rule_rps,	  doctor_rule_numa,	    doctor_rule_timestamps,
	doctor_rule_pause,	  doctor_rule_driver,	    doctor_rule_driver_counters,
	doctor_rule_dropped,	  doctor_rule_master,	    doctor_rule_lower,
	doctor_rule_virtual,	  doctor_rule_sockets,	    doctor_rule_rate,
	doctor_rule_stall,
};

static doctor_rule *const of_program[] = {
	doctor_rule_program,
	doctor_rule_program_library,
	doctor_rule_apparmor,
	doctor_rule_program_xdp,
};

#define JUDGE(doctor, rules) \
	for (size_t i = 0; i < sizeof(rules) / sizeof((rules)[0]); i++) \
	(rules)[i](doctor)

void doctor_judge_host(struct doctor *doctor)
{
	doctor->about = "host";
	doctor_rule_permission(doctor);
	JUDGE(doctor, of_host);
}

void doctor_judge_interface(struct doctor *doctor)
{
	doctor->about = doctor_fact(doctor, "if.name");
	if (doctor->about)
		JUDGE(doctor, of_interface);
}

void doctor_judge_program(struct doctor *doctor)
{
	doctor->about = doctor_fact(doctor, "program.name");
	if (doctor->about)
		JUDGE(doctor, of_program);
}
