package renewal
